"""Database set-up: roles, migrations and the CSV import, `python -m db.initialize`.

It runs once on every start of the stack. It is idempotent and safe to run several times at once.
`python -m db.initialize roles` only creates the roles, before a dump is restored.
An invalid CSV file never stops the stack: the errors are printed and stored in `imports` and
`import_rejects`.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing

import psycopg2
import psycopg2.errors

from db import settings as settings_module
from db.csv import files as csv_files
from db.importer import import_files
from db.schema.connection import connect
from db.schema.fingerprints import EditedMigrationError
from db.schema.locks import BlockedError, retry_while_locked, setup_lock
from db.schema.migrate import migrate
from db.schema.queue import NewerQueueError, create_queue
from db.schema.roles import create_roles
from db.settings import Settings
from db.staging import ImportResult
from servicekit.settings import secret

# The lock belongs to one database, but roles belong to the server. Set-ups of two databases may
# therefore conflict, and one must retry.
ROLE_CONFLICTS = (
    psycopg2.errors.InternalError_,  # "tuple concurrently updated"
    psycopg2.errors.UniqueViolation,
    psycopg2.errors.DuplicateObject,
)
SET_RETENTION = "UPDATE retention SET events_keep_days = %s"
MAX_ATTEMPTS = 10
RETRY_PAUSE_SECONDS = 0.1


def set_up(settings: Settings) -> None:
    """Bring the database of libpq's environment variables up to date.

    Raises:
        BlockedError: another session holds a lock for too long.
        EditedMigrationError: the file of an applied migration was edited.
        NewerQueueError: a newer package wrote the schema of the pipeline's queue.
        psycopg2.Error: Postgres does not answer, denies access, or rejects a migration.
    """
    with setup_lock(settings), closing(connect(settings)) as connection:
        create_roles(connection, settings)
        for migration in retry_while_locked(connection, lambda: create_queue(connection)):
            print(f"applied migration {migration} of the queue", flush=True)
        for migration in retry_while_locked(connection, lambda: migrate(settings.database)):
            print(f"applied migration {migration}", flush=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(SET_RETENTION, [settings.events_keep_days])
        files = csv_files.find(settings.data_csv, settings.data_dir)
        results = retry_while_locked(connection, lambda: import_files(connection, files))
        for file, result in results.items():
            print(f"{file}: {result}", flush=True)
        if len(results) > 1:
            print(_format_total(results), flush=True)


def _format_total(results: dict[str, ImportResult]) -> str:
    """Return the total of several files in one line, the last line that `make up` shows."""
    imported = [result for result in results.values() if not result.error]
    counts = ("read", "added", "updated", "unchanged", "missing", "rejected")
    total = ImportResult(
        **{count: sum(getattr(result, count) for result in imported) for count in counts}
    )
    errors = [result.error for result in results.values() if result.error]
    return f"{len(results)} files, {total}" + "".join(
        f"; not imported: {error}" for error in errors
    )


def set_up_roles(settings: Settings) -> None:
    """Create the roles, and nothing in the database. Raises psycopg2.Error."""
    with closing(connect(settings)) as connection:
        create_roles(connection, settings)


def main(arguments: Sequence[str] = ()) -> int:
    """Run the set-up, or only that of the roles, and return the exit code: 0, or 1 on failure."""
    if list(arguments) not in ([], ["roles"]):
        print("usage: python -m db.initialize [roles]", file=sys.stderr)
        return 2
    try:
        settings = settings_module.from_environment(os.environ)
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        print(f"Invalid setting: {error}", file=sys.stderr)
        return 1
    if password is not None:
        os.environ["PGPASSWORD"] = password  # libpq does not read PGPASSWORD_FILE
    try:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                (set_up_roles if arguments else set_up)(settings)
                break
            # The set-up of another database changes or creates the same roles.
            except ROLE_CONFLICTS:
                if attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(attempt * RETRY_PAUSE_SECONDS)
    except (psycopg2.Error, BlockedError, EditedMigrationError, NewerQueueError) as error:
        print(f"The database set-up failed: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
