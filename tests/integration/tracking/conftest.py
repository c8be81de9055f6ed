"""Stores of the tracking process on a real Postgres, with the privileges of the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from inference.originals.local_store import LocalStore
from tracking.storage.stores import Stores, open_stores

Query = Callable[..., list[Any]]
MAX_ARTIFACT_BYTES = 1_000


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The directory of the object storage."""
    return tmp_path / "images"


@pytest.fixture
def stores(service_database: dict[str, str], images: Path) -> Iterator[Stores]:
    """Stores of an empty database, which the environment names."""
    assert service_database["PGDATABASE"]
    opened = open_stores(LocalStore(images), "mnist", MAX_ARTIFACT_BYTES)
    yield opened
    opened.close()


@pytest.fixture
def sql(service_database: dict[str, str]) -> Iterator[Query]:
    """A function that runs a statement as the owner and returns the rows."""
    names = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname"}
    names |= {"PGUSER": "user", "PGPASSWORD": "password"}
    parameters = {names[key]: value for key, value in service_database.items() if key in names}
    connection = psycopg2.connect(make_dsn(**parameters))
    connection.autocommit = True

    def query(statement: str, *arguments: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

    yield query
    connection.close()


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Call `work` with 0, 1, ... in as many threads, and raise the first error."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  # raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
