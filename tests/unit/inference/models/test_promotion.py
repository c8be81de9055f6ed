"""Promotion: conflicts that are found before the database is asked to move an alias.

Moves themselves are tested against Postgres in tests/integration/models/test_aliases.py.
"""

from pathlib import Path
from typing import Any

import pytest

from inference.errors import AliasConflictError, InvalidValueError, UnknownAliasError
from inference.models.aliases import Aliases, Target
from inference.models.catalog import ModelCatalog
from inference.models.promotion import (
    POINT,
    POINT_BACK,
    SELECT_HISTORY,
    SELECT_PREVIOUS,
    Promotions,
)
from inference.models.version import ModelVersion, State

MODELS = ModelCatalog(
    [
        ModelVersion("a", State.READY, 1, digest="d"),
        ModelVersion("loading", State.LOADING),
        ModelVersion("failed", State.FAILED, reason="It is broken."),
        ModelVersion("letters", State.READY, task="letters"),
    ]
)
MOVE = {"experiment_name": "a", "version": 1, "event_id": 7}


class FakeRepository:
    """A repository with a fixed catalog."""

    def snapshot(self) -> ModelCatalog:
        return MODELS


class FakeDatabase:
    """A database with prepared rows by statement."""

    def __init__(self, rows: dict[str, list[dict[str, object]]]) -> None:
        self._rows = rows
        self.arguments: list[Any] = []

    def query(self, statement: str, arguments: object = None) -> list[dict[str, object]]:
        self.arguments.append(arguments)
        return self._rows.get(statement, [])


def promotions(
    folder: Path, rows: dict[str, list[dict[str, object]]] | None = None
) -> tuple[Promotions, Aliases, FakeDatabase]:
    aliases, database = Aliases(folder / "aliases.json"), FakeDatabase(rows or {})
    repository: Any = FakeRepository()
    fake_database: Any = database
    return Promotions(fake_database, repository, aliases), aliases, database


def test_move_stores_the_version_and_applies_at_once(tmp_path: Path) -> None:
    moves, aliases, database = promotions(tmp_path, {POINT: [MOVE]})
    assert moves.move("mnist", "champion", "a", None, "ann", "better") == MOVE
    assert database.arguments[0]["digest"] == "d"
    assert aliases.targets() == {("mnist", "champion"): Target("a", 1, 7)}


@pytest.mark.parametrize(
    ("name", "version", "error", "path", "reason"),
    [
        ("nobody", None, InvalidValueError, "experiment_name", "GET /api/v1.0/models"),
        ("a", 9, InvalidValueError, "version", "Unknown version"),
        ("letters", None, InvalidValueError, "experiment_name", "task letters"),
        ("loading", None, AliasConflictError, "experiment_name", "Try again when it is READY"),
        ("failed", 1, AliasConflictError, "version", "See GET /api/v1.0/models"),
    ],
)
def test_move_to_an_unsuitable_version_raises(
    tmp_path: Path,
    name: str,
    version: int | None,
    error: type[InvalidValueError | AliasConflictError],
    path: str,
    reason: str,
) -> None:
    moves, aliases, database = promotions(tmp_path)
    with pytest.raises(error, match=reason) as caught:
        moves.move("mnist", "champion", name, version, "ann", "better")
    assert (caught.value.path, database.arguments, aliases.targets()) == (path, [], {})


def test_move_that_another_client_overtook_raises(tmp_path: Path) -> None:
    with pytest.raises(AliasConflictError, match="Another client"):
        promotions(tmp_path)[0].move("mnist", "champion", "a", 1, "ann", "better")


def test_roll_back_asks_for_the_move_that_was_read(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "from_experiment_name": "a",
        "from_version": 1,
        "takes_back": 5,
        "last": 6,
    }
    moves, aliases, database = promotions(tmp_path, {SELECT_PREVIOUS: [row], POINT_BACK: [MOVE]})
    assert moves.roll_back("mnist", "champion", "ann", "worse") == MOVE
    assert {name: database.arguments[1][name] for name in ("last", "takes_back")} == {
        "last": 6,
        "takes_back": 5,
    }
    assert aliases.targets() == {("mnist", "champion"): Target("a", 1, 7)}


@pytest.mark.parametrize(("name", "before"), [(None, None), ("b", {"experiment_name": "b"})])
def test_get_returns_the_rollback_target(
    tmp_path: Path, name: str | None, before: dict[str, object] | None
) -> None:
    history = dict.fromkeys(("model_digest", "moved_at", "moved_by", "reason")) | MOVE
    previous: dict[str, object] = {"from_experiment_name": name, "from_version": 2}
    rows = {SELECT_HISTORY: [history], SELECT_PREVIOUS: [previous]}
    found = promotions(tmp_path, rows)[0].get("mnist", "champion")
    assert found["before"] == (before and {**before, "version": 2})
    assert (found["serving"], found["history"]) == ("READY", [history])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "no earlier target"),
        ("gone", "gone@1, which is no longer served"),
        ("loading", "loading@1, but this one is LOADING"),
        ("letters", "letters@1, which now belongs to the task letters"),
    ],
)
def test_roll_back_to_an_unsuitable_version_raises(
    tmp_path: Path, name: str | None, reason: str
) -> None:
    row: dict[str, object] = {"from_experiment_name": name, "from_version": 1}
    with pytest.raises(AliasConflictError, match=reason):
        promotions(tmp_path, {SELECT_PREVIOUS: [row]})[0].roll_back("mnist", "x", "ann", "worse")


def test_unknown_alias_raises(tmp_path: Path) -> None:
    moves, _, _ = promotions(tmp_path)
    with pytest.raises(UnknownAliasError):
        moves.get("mnist", "x")
    with pytest.raises(UnknownAliasError):
        moves.roll_back("mnist", "x", "ann", "worse")
