"""The database: its schema as migrations, and the import of data.csv.

The only package that knows DDL.
"""
