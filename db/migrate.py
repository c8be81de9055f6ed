"""Brings the schema up to date.

Yoyo runs db/migrations/*.sql in the order of their numbers, all of them or none.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from urllib.parse import quote

from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

MIGRATIONS = Path(__file__).parent / "migrations"


class _OneTransaction(PostgresqlBackend):  # type: ignore[misc]  # yoyo is untyped
    """Runs a migration on the connection that also marks it as applied.

    yoyo opens a second connection for a migration's statements, so that a set-up killed between the
    two commits finds its own tables in the way at the next start. On one connection, one
    transaction holds both.
    """

    def copy(self) -> AbstractContextManager["_OneTransaction"]:
        return nullcontext(self)


def migrate(database: str) -> list[str]:
    """Apply what is missing to `database` (reached by libpq's environment) and return the names of
    what was applied.

    The caller holds the set-up's lock: two of these at once would meet in yoyo's own tables. Raises
    psycopg2.Error when a migration fails; nothing of this call is left in the database then.
    """
    with _OneTransaction(
        parse_uri(f"postgresql:///{quote(database, safe='')}"), default_migration_table
    ) as backend:
        backend.init_database()
        # Only a killed set-up can have left it: the caller's lock keeps living ones out
        backend.break_lock()
        backend.ensure_internal_schema_updated()
        with backend.transaction():
            missing = backend.to_apply(read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(missing)
        return [migration.id for migration in missing]
