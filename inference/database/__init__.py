"""Postgres for the API: a pool with deadlines, and its queries."""
