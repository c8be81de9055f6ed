"""Alias synchronization: the file follows the rows of the database."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest

from inference.models import alias_sync
from inference.models.alias_sync import AliasMirror, write_aliases
from inference.models.aliases import ALIASES_FILE, Target, read_aliases

ROW = {
    "task": "mnist",
    "alias": "champion",
    "experiment_name": "a",
    "version": 1,
    "event_id": 7,
}


class FakeConnection:
    """A connection whose every query returns the same rows."""

    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self.rows = rows
        self.queries = 0

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def cursor(self) -> Any:
        yield self

    def execute(self, statement: str) -> None:
        assert statement == alias_sync.ALIASES
        self.queries += 1

    def fetchall(self) -> list[tuple[object, ...]]:
        return self.rows


def refresh(mirror: AliasMirror, connection: FakeConnection) -> None:
    fake: Any = connection
    as_connection: psycopg2.extensions.connection = fake
    mirror.refresh(as_connection)


def test_write_aliases_returns_whether_the_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "new" / ALIASES_FILE
    assert write_aliases(path, [ROW])
    assert read_aliases(path) == {("mnist", "champion"): Target("a", 1, 7)}
    assert not write_aliases(path, [ROW])
    assert write_aliases(path, [{**ROW, "event_id": 8}])
    path.write_text("broken")
    assert write_aliases(path, [])
    assert read_aliases(path) == {}


def test_refresh_queries_at_most_once_per_interval(tmp_path: Path) -> None:
    connection = FakeConnection([tuple(ROW.values())])
    mirror = AliasMirror(tmp_path)
    refresh(mirror, connection)
    refresh(mirror, connection)
    assert connection.queries == 1
    assert list(read_aliases(tmp_path / ALIASES_FILE)) == [("mnist", "champion")]


def test_refresh_writes_changes_and_a_deleted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alias_sync, "QUERY_SECONDS", 0.0)
    connection = FakeConnection([])
    mirror = AliasMirror(tmp_path)
    refresh(mirror, connection)
    assert read_aliases(tmp_path / ALIASES_FILE) == {}
    connection.rows = [tuple(ROW.values())]
    refresh(mirror, connection)
    (tmp_path / ALIASES_FILE).unlink()
    refresh(mirror, connection)
    assert len(read_aliases(tmp_path / ALIASES_FILE)) == 1
