"""A real Postgres for integration tests: embedded, on a free port, removed afterwards."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import psycopg2
import pytest

from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from local.settings import Settings


@pytest.fixture(scope="session")
def postgres_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that share nothing with the user's own stack; its web and API ports are unused."""
    return local_settings.read(
        {
            "LOCAL_DIR": str(tmp_path_factory.mktemp("postgres")),
            "DB_PORT": str(ports.find_free()),
            "API_PORT": str(ports.find_free()),
            "WEB_PORT": str(ports.find_free()),
        }
    )


@pytest.fixture(scope="session")
def postgres(postgres_settings: Settings) -> Iterator[Postgres]:
    """A running server with an empty database mlopsdb; `settings.dsn` connects as its owner."""
    server = Postgres(postgres_settings)
    try:
        server.open()
        yield server
    finally:
        server.stop(timeout_seconds=5)


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[dict[str, str]]:
    """The owner's libpq variables for an empty database of one test."""
    yield from _new_database(postgres)


@pytest.fixture(scope="session")
def schema(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the schema and without rows, which others are copied from."""
    none = str(tmp_path_factory.mktemp("schema") / "none")
    environment = {**_create_database(postgres), "DATA_CSV": none, "DATA_DIR": none}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
    return environment["PGDATABASE"]


@pytest.fixture
def service_database(postgres: Postgres, schema: str) -> Iterator[dict[str, str]]:
    """A database with the schema; the process environment is that of the service."""
    environment = _create_database(postgres, schema)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **environment,
            "PGUSER": "mlops_app",
            "PGPASSWORD": "pass123",
        }.items():
            patch.setenv(name, value)
        yield environment
    _drop_database(postgres, environment)


@pytest.fixture(scope="module")
def module_database(postgres: Postgres, schema: str) -> Iterator[dict[str, str]]:
    """The owner's libpq variables for a database of one module, with the schema."""
    environment = _create_database(postgres, schema)
    yield environment
    _drop_database(postgres, environment)


@pytest.fixture(scope="module")
def postgres_environment(postgres: Postgres) -> Iterator[dict[str, str]]:
    """The owner's libpq variables for an empty database of one module."""
    yield from _new_database(postgres)


def _new_database(postgres: Postgres) -> Iterator[dict[str, str]]:
    environment = _create_database(postgres)
    yield environment
    _drop_database(postgres, environment)


def _create_database(postgres: Postgres, template: str = "template1") -> dict[str, str]:
    """Create a database and return the owner's libpq variables for it."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    settings = postgres.settings
    return {**settings.libpq_variables("postgres", settings.owner_password), "PGDATABASE": name}


def _drop_database(postgres: Postgres, environment: dict[str, str]) -> None:
    _execute(postgres, f"DROP DATABASE {environment['PGDATABASE']} WITH (FORCE)")


def _execute(postgres: Postgres, statement: str) -> None:
    connection = psycopg2.connect(postgres.settings.dsn)
    connection.autocommit = True  # CREATE DATABASE cannot run in a transaction
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
