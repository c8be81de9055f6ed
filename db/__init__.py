"""Database set-up: roles, migrations, privileges, and the import of CSV files.

The only package that knows DDL. It needs Postgres and the CSV files, and knows no service.

- Commands: `initialize` (set-up), `validate` (CSV files only), `password_check`.
- Schema: `schema` creates the roles, applies `migrations/*.sql` and grants the privileges. A
  migration that has landed is never edited.
- CSV: `csv` finds and reads files, into rows and rejects.
- Import: `importer` updates the tables from what `staging` copied. `import_history` keeps the
  table `imports`.
"""
