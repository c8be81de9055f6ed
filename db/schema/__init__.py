"""Schema: roles, migrations and privileges. Each set-up brings a database to the same state.

- `connection` and `locks`: one set-up at a time, and a bounded wait for other sessions.
- `roles` creates the roles of the server with their limits and passwords.
- `migrate` applies `db/migrations/*.sql` and `privileges.sql`, in one transaction.
- `queue` creates the tables of the pipeline's queue, from the package Procrastinate.
- `fingerprints` detects a migration that was edited after it was applied.
"""
