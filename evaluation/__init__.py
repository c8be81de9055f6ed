"""Evaluation statistics: metrics of one model and paired tests of two.

Depends on NumPy and the standard library only, so any service can import it.
"""
