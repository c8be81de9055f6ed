"""Queue of the pipeline: its schema is created, updated, and closed to the other roles."""

import shutil
from contextlib import closing
from pathlib import Path

import psycopg2.errors
import pytest

from db.schema import queue
from db.schema.queue import NewerQueueError, create_queue
from tests.support.database import Database, connect

JOB = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW('pipeline', 'run', 0, NULL, 'run 1', '{"run_id": 1}', NULL)
            ::procrastinate_job_to_defer_v1])
"""
LAST_MIGRATIONS = 5


@pytest.fixture
def database(empty_database: dict[str, str], tmp_path: Path) -> Database:
    database = Database(empty_database, tmp_path)
    database.csv.write_text("")
    database.set_up()
    return database


def test_pipelines_role_adds_and_fetches_jobs(database: Database) -> None:
    environment = {**database.environment, "PGUSER": "mlops_pipeline", "PGPASSWORD": "pass123"}
    with closing(connect(environment)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = procrastinate")
        cursor.execute(JOB)
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        cursor.execute("SELECT (procrastinate_fetch_job_v2(NULL, 1)).args")
        assert cursor.fetchone() == ({"run_id": 1},)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT FROM applied_migrations")


@pytest.mark.parametrize("role", ["mlops_app", "mlops_read", "mlops_web"])
def test_other_roles_cannot_use_queue(database: Database, role: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.rows("SELECT FROM procrastinate.procrastinate_jobs", role=role)


def test_older_queue_gets_newer_migrations_and_keeps_jobs(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "sql"
    (folder / "migrations").mkdir(parents=True)
    migrations = sorted((queue._find_folder() / "migrations").glob("*.sql"))
    for file in migrations[:-LAST_MIGRATIONS]:
        shutil.copyfile(file, folder / "migrations" / file.name)
    older = "\n".join(file.read_text() for file in migrations[:-LAST_MIGRATIONS])
    (folder / "schema.sql").write_text(older)
    with closing(connect(database.environment)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA procrastinate CASCADE")
        assert create_queue(connection, folder) == []
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES RETURNING id"
            )
        names = [file.stem for file in migrations[-LAST_MIGRATIONS:]]
        assert create_queue(connection) == names
        assert create_queue(connection) == []
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate.procrastinate_workers")
            assert cursor.fetchone() == (1,)
            cursor.execute("SET LOCAL search_path = procrastinate")
            cursor.execute(JOB)
            cursor.execute(
                "SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status = 'todo'"
            )
            assert cursor.fetchone() == (1,)


def test_queue_of_newer_package_is_refused(database: Database) -> None:
    with closing(connect(database.environment)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate.applied_migrations VALUES ('99.00.00_01_later', '99.0')"
            )
        with pytest.raises(NewerQueueError, match=r"Procrastinate 99\.0, .* the newer one"):
            create_queue(connection)
