"""`python -m db.initialize`.

Migrations, passwords of the roles, import of data.csv and data.d/*.csv.

Idempotent, and safe when several run at once.

It runs to its end on every start and then leaves. A bad file never keeps the stack from starting:
what is wrong is printed and kept in the tables imports and import_rejects.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.errors
import psycopg2.extensions
from psycopg2 import sql

from db import csv_files
from db import settings as settings_module
from db.importer import import_files
from db.migrate import migrate
from db.settings import Settings
from db.staging import ImportResult
from servicekit.settings import secret

# Any number will do, so long as nothing else in this server takes the same advisory lock.
SETUP_LOCK = 0x6D6C6F7073
# The lock is one database's, but roles are the server's: set-ups of two databases may meet there,
# and one has to try again.
ATTEMPTS = 10
PAUSE_SECONDS = 0.1


def set_up(settings: Settings) -> None:
    """Bring the database that libpq's environment names up to date. Raises psycopg2.Error."""
    with _locked_connection(settings) as connection:
        for migration in migrate(settings.database):
            print(f"applied migration {migration}", flush=True)
        _set_passwords(
            connection, {"mlops_app": settings.app_password, "mlops_read": settings.read_password}
        )
        outcomes = import_files(connection, csv_files.find(settings.data_csv, settings.data_dir))
        for file, outcome in outcomes.items():
            print(f"{file}: {outcome}", flush=True)
        if len(outcomes) > 1:
            print(_together(outcomes), flush=True)


def _together(outcomes: dict[str, ImportResult]) -> str:
    """Say in one line what became of several files: those who start the stack see this one."""
    used = [outcome for outcome in outcomes.values() if not outcome.error]
    counts = ("read", "added", "updated", "unchanged", "missing", "rejected")
    total = ImportResult(
        **{count: sum(getattr(outcome, count) for outcome in used) for count in counts}
    )
    unusable = [outcome.error for outcome in outcomes.values() if outcome.error]
    return f"{len(outcomes)} files, {total}" + "".join(
        f"; not imported: {error}" for error in unusable
    )


@contextmanager
def _locked_connection(settings: Settings) -> Iterator[psycopg2.extensions.connection]:
    """Connect, waiting for a Postgres that is still starting, and let one set-up at a time go on."""
    connection = _connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [SETUP_LOCK])
        yield connection
    finally:
        connection.close()  # which also gives the lock back


def _connect(settings: Settings) -> psycopg2.extensions.connection:
    deadline = time.monotonic() + settings.wait_seconds
    while True:
        try:
            return psycopg2.connect(
                dbname=settings.database, connect_timeout=3, application_name="mlops db-setup"
            )
        except psycopg2.OperationalError as error:
            wrong_credentials = "authentication failed" in str(error)
            if wrong_credentials or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _set_passwords(connection: psycopg2.extensions.connection, passwords: dict[str, str]) -> None:
    with connection, connection.cursor() as cursor:
        for role, password in passwords.items():
            # hashed here, so that no log of the server's statements can hold it
            verifier = psycopg2.extensions.encrypt_password(
                password, role, connection, "scram-sha-256"
            )
            cursor.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier)
                )
            )


def main() -> int:
    """Set up and return the exit code: 0, or 1 when the database could not be reached or changed."""
    try:
        settings = settings_module.from_environment(os.environ)
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return 1
    if password is not None:
        os.environ["PGPASSWORD"] = password  # libpq knows no PGPASSWORD_FILE
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                set_up(settings)
                break
            except (
                psycopg2.errors.InternalError_
            ):  # "tuple concurrently updated": roles belong to all databases of a server
                if attempt == ATTEMPTS:
                    raise
                time.sleep(attempt * PAUSE_SECONDS)
    except psycopg2.Error as error:
        print(f"The database could not be set up: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
