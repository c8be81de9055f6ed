"""Restored databases: a dump has no roles, so the set-up makes them and grants their privileges."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.support.database import HEADER, LOSS, Database, connect
from tests.support.dump import dump, read_schema, restore

OWNER_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def source(empty_database: dict[str, str], tmp_path: Path) -> Database:
    """A set-up database with one experiment."""
    database = Database(empty_database, tmp_path)
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    return database


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Database]:
    """An empty database of a server without roles. Its set-up has the CSV file of `source`."""
    settings = local_settings.read(
        {
            "LOCAL_DIR": str(tmp_path / "server"),
            "DB_PORT": str(ports.find_free()),
            "API_PORT": str(ports.find_free()),
            "WEB_PORT": str(ports.find_free()),
        }
    )
    server = Postgres(settings)
    try:
        server.open()
        yield Database(settings.libpq_variables("postgres", settings.owner_password), tmp_path)
    finally:
        server.stop(timeout_seconds=5)


@pytest.mark.slow
def test_dump_restores_after_set_up_of_roles(
    source: Database, target: Database, tmp_path: Path
) -> None:
    dump(source.environment, tmp_path / "dump")
    target.run("db.initialize", "roles")
    assert target.rows(OWNER_TABLES) == [(0,)]
    restore(target.environment, tmp_path / "dump")
    assert "1 unchanged" in target.set_up()
    assert read_schema(target.environment) == read_schema(source.environment)
    assert target.rows("SELECT name FROM experiments", role="mlops_read") == [("a",)]


@pytest.mark.slow
def test_set_up_grants_what_a_restore_without_roles_lost(
    source: Database, target: Database, tmp_path: Path
) -> None:
    dump(source.environment, tmp_path / "dump")
    with pytest.raises(subprocess.CalledProcessError, match="returned non-zero exit status 1"):
        restore(target.environment, tmp_path / "dump")
    target.set_up()
    assert read_schema(target.environment) == read_schema(source.environment)
    assert target.rows("SELECT name FROM experiments", role="mlops_read") == [("a",)]


def test_set_up_resets_what_a_role_changed_of_itself(source: Database) -> None:
    changes = (
        "SET default_transaction_read_only = off",
        "ALTER ROLE mlops_read PASSWORD 'other'",
        "ALTER ROLE mlops_read SET statement_timeout = 0",
        "ALTER ROLE mlops_read SET search_path = nowhere",
    )
    with closing(connect(source.environment, "mlops_read")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for change in changes:
                cursor.execute(change)
            cursor.execute("SELECT current_database()")
            [(name,)] = cursor.fetchall()
            cursor.execute(f"ALTER ROLE mlops_read IN DATABASE {name} SET work_mem = '1GB'")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        source.rows("SELECT 1", role="mlops_read")
    source.set_up()
    assert source.rows(
        "SELECT name, current_setting('statement_timeout'), current_setting('work_mem')"
        " FROM experiments",
        role="mlops_read",
    ) == [("a", "10s", "4MB")]
