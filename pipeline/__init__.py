"""Learning loop: labeled images to datasets, trained candidates, a verdict, and a promotion.

A worker executes the steps of a run and records each one in Postgres. Nothing imports this package.
"""
