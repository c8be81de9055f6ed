"""Migrations: applies db/migrations/*.sql in the order of their numbers, all or none, with yoyo."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import quote

from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

from db.schema import fingerprints
from db.schema.connection import SESSION

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BEFORE_MIGRATIONS = Path(__file__).with_name("before_migrations.sql")
PRIVILEGES = Path(__file__).with_name("privileges.sql")


class _SingleConnectionBackend(PostgresqlBackend):  # type: ignore[misc]  # yoyo is untyped
    """Runs a migration on the connection that also marks it as applied.

    yoyo opens a second connection for the statements of a migration. If the set-up is killed
    between the two commits, the next one finds tables that already exist. A single connection
    commits both in one transaction.
    """

    def copy(self) -> AbstractContextManager["_SingleConnectionBackend"]:
        return nullcontext(self)


def migrate(database: str) -> list[str]:
    """Apply the missing migrations and all privileges, and return the migrations' names.

    The server is that of libpq's environment variables. The caller holds the lock of
    `db.initialize`, because two calls at once would conflict in yoyo's own tables. The roles exist.

    Raises:
        EditedMigrationError: the file of an applied migration was edited.
        psycopg2.errors.LockNotAvailable: another session locks a table.
        psycopg2.Error: a migration failed.

    The database is then unchanged.
    """
    address = parse_uri(f"postgresql:///{quote(database, safe='')}")
    with _SingleConnectionBackend(address, default_migration_table) as backend:
        backend.execute(SESSION)
        backend.init_database()
        # The caller's lock excludes running set-ups, so only a killed one can have left yoyo's.
        backend.break_lock()
        backend.ensure_internal_schema_updated()
        known = fingerprints.read_fingerprints(MIGRATIONS)
        with backend.transaction(), backend.connection.cursor() as cursor:
            fingerprints.check(cursor, known)
            cursor.execute(BEFORE_MIGRATIONS.read_text())
            missing = backend.to_apply(read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(missing)
            fingerprints.record(cursor, known)
            cursor.execute(PRIVILEGES.read_text())
        return [migration.id for migration in missing]
