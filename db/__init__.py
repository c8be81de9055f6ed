"""Database set-up: roles, migrations, privileges, and the import of CSV files.

The only package that knows DDL. It needs Postgres and the CSV files, and knows no service.

- Commands: `initialize` (set-up), `validate` (CSV files only), `password_check`.
- Schema: `schema` creates the roles, applies `migrations/*.sql` and grants the privileges. A
  migration that has landed is never edited.
- CSV: `csv_files` finds files. `csv_reader` reads one, over `csv_lines`, `csv_columns` and
  `csv_row`, whose cells are parsed by `number_cell` and `curve_cell`. `reject_reasons` has the
  texts.
- Import: `importer` updates the tables from what `staging` copied. `import_history` keeps the
  table `imports`.
"""
