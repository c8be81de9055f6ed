"""Postgres for the API: a connection pool with deadlines, and the queries of the resources.

Knows the schema of db/ and the errors of the API, but neither models nor web frameworks.
"""
