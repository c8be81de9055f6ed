"""Queue of the pipeline: the schema `procrastinate`, from the SQL files of the installed package.

Its tables are used by the pipeline's worker only, and by the functions that add jobs. Set-ups of
a newer package apply the package's own migrations.
"""

import importlib.util
from importlib import metadata
from pathlib import Path

import psycopg2.extensions

PACKAGE = "procrastinate"
# The functions of the package name its tables without a schema.
BEGIN = """
CREATE SCHEMA IF NOT EXISTS procrastinate;
COMMENT ON SCHEMA procrastinate IS
    'Queue of the pipeline, as the package Procrastinate defines it. For its worker only.';
SET LOCAL search_path = procrastinate;
CREATE TABLE IF NOT EXISTS applied_migrations (
    name text PRIMARY KEY, package_version text NOT NULL
);
COMMENT ON TABLE applied_migrations IS 'Migrations of the package that this schema contains.';
"""
RECORD = "INSERT INTO applied_migrations SELECT unnest(%s), %s"
PRIVILEGES = """
GRANT USAGE ON SCHEMA procrastinate TO mlops_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA procrastinate TO mlops_pipeline;
REVOKE ALL ON applied_migrations FROM mlops_pipeline;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA procrastinate TO mlops_pipeline;
-- The triggers of the queue wake up workers. privileges.sql takes this function from PUBLIC.
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO mlops_pipeline;
    END IF;
END $$;
SET LOCAL search_path = DEFAULT;
"""


class NewerQueueError(Exception):
    """The schema is that of a newer package. The message names both versions and the remedy."""


def create_queue(
    connection: psycopg2.extensions.connection, folder: Path | None = None
) -> list[str]:
    """Create or update the schema in one transaction, and return the applied migrations' names.

    The caller holds the lock of the set-up, and the roles exist. `folder` has the package's
    `schema.sql` and `migrations/`; by default it is that of the installed package.

    Raises:
        NewerQueueError: a newer package wrote the schema.
        psycopg2.errors.LockNotAvailable: another session locks a table.
        psycopg2.Error: a migration failed.

    The database is then unchanged.
    """
    folder = folder or _find_folder()
    files = {file.stem: file for file in sorted((folder / "migrations").glob("*.sql"))}
    with connection, connection.cursor() as cursor:
        cursor.execute(BEGIN)
        cursor.execute("SELECT name, package_version FROM applied_migrations")
        applied = dict(cursor.fetchall())
        _check_versions(applied, set(files))
        missing = [name for name in files if name not in applied]
        if not applied:
            cursor.execute((folder / "schema.sql").read_text())
        else:
            for name in missing:
                cursor.execute(files[name].read_text())
        if missing:
            cursor.execute(RECORD, [missing, metadata.version(PACKAGE)])
        cursor.execute(PRIVILEGES)
    return missing if applied else []


def _check_versions(applied: dict[str, str], known: set[str]) -> None:
    unknown = set(applied) - known
    if unknown:
        newer = ", ".join(sorted({applied[name] for name in unknown}))
        raise NewerQueueError(
            f"The pipeline's queue was set up by Procrastinate {newer}, and this is the older"
            f" {metadata.version(PACKAGE)}. Start the stack with the newer one, or restore a backup"
            " of before (doc/backup.md)."
        )


def _find_folder() -> Path:
    """Return the folder of the SQL files. Importing the package would need libpq for psycopg 3."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None  # noqa: S101  # locked
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "sql"
