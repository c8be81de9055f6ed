"""Aliases over the API: moves, rollbacks, and their visibility in every process."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import RealDictCursor
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment as db_settings
from inference.app import create_app
from inference.database.pool import Arguments, Database, Record
from inference.model_format.card import CARD_FILE
from inference.models.alias_sync import ALIASES, write_aliases
from inference.models.aliases import ALIASES_FILE
from inference.models.promotion import POINT_BACK
from inference.settings import from_environment
from tests.conftest import SHIPPED, wait_until_ready
from tests.unit.inference.conftest import change_card, eventually

BASE = "/api/v1.0"
CHAMPION = f"{BASE}/aliases/mnist/champion"
SMALL, OTHER = "mnist_experiment_1__softmax_regression", "mnist_experiment_12__lenet5"
BY = {"moved_by": "ann", "reason": "reads 4 better"}
FOLLOW_SECONDS = 1.0


class Stack:
    """Two applications over one journal directory, and the shipping of their aliases."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal" / ALIASES_FILE
        variables = {"MODELS_DIR": "models", "COMPILED_DIR": "compiled", "JOURNAL_DIR": "journal"}
        self.apps = [
            create_app(
                from_environment({name: str(folder / path) for name, path in variables.items()})
            )
            for _ in range(2)
        ]
        self.models = folder / "models"

    def ship(self) -> None:
        """Do one step of the service's alias synchronization."""
        connection = psycopg2.connect("", cursor_factory=RealDictCursor)
        with connection, connection.cursor() as cursor:
            cursor.execute(ALIASES)
            write_aliases(self.file, [dict(row) for row in cursor.fetchall()])
        connection.close()


@pytest.fixture
def stack(empty_database: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    for name, version in ((SMALL, "1"), (SMALL, "2"), (OTHER, "1")):
        shutil.copytree(SHIPPED / name, tmp_path / "models" / name / version)
    shutil.copytree(SHIPPED / OTHER, tmp_path / "models" / "letters")
    change_card(tmp_path / "models" / "letters", task="letters")
    (tmp_path / "models" / "failing").mkdir()
    (tmp_path / "models" / "failing" / CARD_FILE).write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**empty_database, "DATA_DIR": str(tmp_path / "none")}.items():
            patch.setenv(name, value)
        set_up(db_settings(os.environ))
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        yield Stack(tmp_path)


@pytest.fixture
def clients(stack: Stack) -> Iterator[list[TestClient]]:
    with (
        TestClient(stack.apps[0], raise_server_exceptions=False) as one,
        TestClient(stack.apps[1], raise_server_exceptions=False) as two,
    ):
        for client in (one, two):
            wait_until_ready(client)
        yield [one, two]


@pytest.fixture
def put(clients: list[TestClient]) -> Callable[..., tuple[int, Any]]:
    def send(name: object, path: str = CHAMPION, **body: object) -> tuple[int, Any]:
        response = clients[0].put(path, json={"experiment_name": name, **BY, **body})
        return response.status_code, response.json()

    return send


def infer(client: TestClient, name: str, png: bytes) -> tuple[str, int] | int:
    """Return the model that answers to a name, or the status of the error."""
    response = client.post(
        f"{BASE}/inference", params={"experiment_name": name}, files={"image_blob": png}
    )
    answer = response.json()
    return (
        (answer["experiment_name"], answer["version"])
        if response.status_code == 200
        else response.status_code
    )


def test_alias_move_reaches_its_worker_at_once_and_others_soon(
    clients: list[TestClient],
    stack: Stack,
    put: Callable[..., tuple[int, Any]],
    digits: dict[str, bytes],
) -> None:
    assert [infer(client, "mnist@champion", digits["1"]) for client in clients] == [
        (OTHER, 1)
    ] * 2, "the best until an alias exists"
    status, moved = put(SMALL)
    assert (status, moved["experiment_name"], moved["version"], moved["from_experiment_name"]) == (
        200,
        SMALL,
        2,
        None,
    )
    assert [infer(client, "mnist@champion", digits["1"]) for client in clients] == [
        (SMALL, 2),
        (OTHER, 1),
    ]
    stack.ship()
    started = time.monotonic()
    eventually(
        lambda: infer(clients[1], "mnist@champion", digits["1"]) == (SMALL, 2), FOLLOW_SECONDS
    )
    assert time.monotonic() - started < FOLLOW_SECONDS
    models = {
        (model["name"], model["version"]): model["aliases"]
        for model in clients[1].get(f"{BASE}/models").json()["models"]
    }
    assert (models[SMALL, 2], models[SMALL, 1], models[OTHER, 1]) == (["champion"], [], [])


def test_rollback_undoes_the_last_move_and_history_keeps_all(
    clients: list[TestClient], put: Callable[..., tuple[int, Any]], digits: dict[str, bytes]
) -> None:
    back = f"{CHAMPION}/rollback"
    assert clients[0].post(back, json=BY).status_code == 404
    put(SMALL, version=1)
    assert clients[0].post(back, json=BY).status_code == 409
    put(OTHER)
    assert put(OTHER)[1]["from_experiment_name"] == SMALL, "it already points there"
    answer = clients[0].post(back, json={"moved_by": "bob", "reason": "misreads 7"})
    assert (answer.status_code, answer.json()["experiment_name"], answer.json()["version"]) == (
        200,
        SMALL,
        1,
    )
    assert infer(clients[0], "mnist@champion", digits["1"]) == (SMALL, 1)
    alias = clients[1].get(CHAMPION).json()
    assert (alias["experiment_name"], alias["moved_by"], alias["serving"]) == (
        SMALL,
        "bob",
        "READY",
    )
    moves = [(move["from_experiment_name"], move["experiment_name"]) for move in alias["history"]]
    assert moves == [(OTHER, SMALL), (SMALL, OTHER), (None, SMALL)]
    assert [entry["alias"] for entry in clients[1].get(f"{BASE}/aliases").json()["aliases"]] == [
        "champion"
    ]


def test_repeated_rollbacks_undo_one_move_each(
    clients: list[TestClient], put: Callable[..., tuple[int, Any]]
) -> None:
    def pointed_back() -> Any:
        before = clients[1].get(CHAMPION).json()["before"]
        answer = clients[0].post(f"{CHAMPION}/rollback", json=BY)
        if answer.status_code != 200:
            assert before is None
            return answer.status_code
        assert before == {name: answer.json()[name] for name in ("experiment_name", "version")}
        return tuple(before.values())

    put(SMALL, version=1)
    put(SMALL, version=2)
    put(OTHER)
    assert [pointed_back() for _ in range(3)] == [(SMALL, 2), (SMALL, 1), 409]
    put(OTHER)
    assert [pointed_back() for _ in range(2)] == [(SMALL, 1), 409]


def test_rollback_that_another_move_overtakes_is_refused(
    clients: list[TestClient],
    put: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(SMALL, version=1)
    put(SMALL, version=2)
    query = Database.query

    def overtaken(
        database: Database, statement: str, arguments: Arguments | None = None
    ) -> list[Record]:
        if statement == POINT_BACK:
            move = {"experiment_name": OTHER, **BY}
            assert clients[1].put(CHAMPION, json=move).status_code == 200
        return query(database, statement, arguments)

    monkeypatch.setattr(Database, "query", overtaken)
    answer = clients[0].post(f"{CHAMPION}/rollback", json=BY)
    assert (answer.status_code, "Another client" in answer.json()["detail"]) == (409, True)
    assert clients[1].get(CHAMPION).json()["experiment_name"] == OTHER


def test_rollback_to_a_version_of_another_task_is_refused(
    clients: list[TestClient], stack: Stack, put: Callable[..., tuple[int, Any]]
) -> None:
    put(SMALL, version=1)
    put(SMALL, version=2)
    change_card(stack.models / SMALL / "1", task="letters")
    eventually(
        lambda: clients[0].get(f"{BASE}/models/{SMALL}/versions/1").json()["task"] == "letters"
    )
    answer = clients[0].post(f"{CHAMPION}/rollback", json=BY)
    assert (answer.status_code, "now belongs to the task" in answer.json()["detail"]) == (409, True)
    assert clients[0].get(CHAMPION).json()["version"] == 2


def test_alias_moves_only_to_ready_models_of_its_task(
    clients: list[TestClient], put: Callable[..., tuple[int, Any]]
) -> None:
    answers = [
        (put("nobody"), 422, "experiment_name"),
        (put(SMALL, version=9), 422, "version"),
        (put("letters"), 422, "experiment_name"),
        (put("failing"), 409, "experiment_name"),
        (put("a b"), 400, "experiment_name"),
        (put(SMALL, version=True), 400, "version"),
        (put(SMALL, version=0), 400, "version"),
        (put(SMALL, reason=""), 400, "reason"),
        (put(SMALL, f"{BASE}/aliases/mnist/all"), 400, "alias"),
        (put(SMALL, f"{BASE}/aliases/mnist/3"), 400, "alias"),
        (put(SMALL, f"{BASE}/aliases/M/champion"), 400, "task"),
    ]
    assert [(status, document["errors"][0]["path"]) for (status, document), *_ in answers] == [
        tuple(rest) for _, *rest in answers
    ]
    assert clients[0].get(f"{BASE}/aliases").json() == {"aliases": []}
    assert clients[0].get(CHAMPION).status_code == 404


def test_alias_resolves_bare_by_task_and_by_model(
    clients: list[TestClient], put: Callable[..., tuple[int, Any]], digits: dict[str, bytes]
) -> None:
    put(SMALL, f"{BASE}/aliases/mnist/stable", version=1)
    put("letters", f"{BASE}/aliases/letters/champion")
    names = [
        "stable",
        "mnist@stable",
        f"{SMALL}@stable",
        "letters@champion",
        f"{OTHER}@stable",
        "letters@stable",
        "nobody@stable",
        "champion",  # of two tasks: that of DEFAULT_TASK
    ]
    assert [infer(clients[0], name, digits["1"]) for name in names] == [
        (SMALL, 1), (SMALL, 1), (SMALL, 1), ("letters", 1), 404, 404, 404, (OTHER, 1),
    ]  # fmt: skip
    several = clients[0].post(
        f"{BASE}/inference?experiment_name=all", files={"image_blob": digits["1"]}
    )
    assert (several.status_code, "TASK@champion" in several.json()["detail"]) == (400, True)
    elsewhere = clients[0].post(
        f"{BASE}/inference?experiment_name={OTHER}@stable", files={"image_blob": digits["1"]}
    )
    assert f"points to {SMALL}@1" in elsewhere.json()["detail"]
    entry = (
        clients[0]
        .post(
            f"{BASE}/predictions?experiments=champion&experiments=stable",
            files={"images": digits["1"]},
        )
        .json()
    )
    assert [answer["experiment_name"] for answer in entry["predictions"][0]["answers"]] == [
        "letters",
        OTHER,
        SMALL,
    ]


@pytest.mark.slow
def test_alias_to_a_deleted_version_gives_the_reason(
    clients: list[TestClient],
    stack: Stack,
    put: Callable[..., tuple[int, Any]],
    digits: dict[str, bytes],
) -> None:
    put(SMALL, version=1)
    put(OTHER)
    shutil.rmtree(stack.models / SMALL / "1")
    eventually(lambda: infer(clients[0], f"{SMALL}@1", digits["1"]) == 404)
    assert clients[0].post(f"{CHAMPION}/rollback", json=BY).status_code == 409
    shutil.rmtree(stack.models / OTHER)
    eventually(lambda: infer(clients[0], OTHER, digits["1"]) == 404)
    answer = clients[0].post(
        f"{BASE}/inference?experiment_name=mnist@champion", files={"image_blob": digits["1"]}
    )
    assert (
        answer.status_code,
        f"points to {OTHER}@1, which is no longer served" in answer.json()["detail"],
    ) == (404, True)
    assert clients[0].get(CHAMPION).json()["serving"] == "NO_MODEL"


def test_alias_move_without_postgres_fails(
    clients: list[TestClient],
    put: Callable[..., tuple[int, Any]],
    monkeypatch: pytest.MonkeyPatch,
    digits: dict[str, bytes],
    tmp_path: Path,
) -> None:
    owner = psycopg2.connect(user="postgres")
    monkeypatch.setenv("PGHOST", str(tmp_path))  # no server there
    with owner, owner.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'mlops inference'"
        )
    owner.close()
    assert put(SMALL)[0] == 503
    assert infer(clients[0], "mnist@champion", digits["1"]) == (OTHER, 1)


@pytest.mark.slow
def test_broken_alias_file_keeps_the_earlier_aliases(
    clients: list[TestClient],
    stack: Stack,
    put: Callable[..., tuple[int, Any]],
    digits: dict[str, bytes],
) -> None:
    put(SMALL)
    stack.ship()
    eventually(
        lambda: infer(clients[1], "mnist@champion", digits["1"]) == (SMALL, 2), FOLLOW_SECONDS
    )
    for content in ("", "{", "[]", '{"aliases": [{}]}', '{"aliases": 3}'):
        stack.file.write_text(content)
        time.sleep(0.3)
        assert infer(clients[1], "mnist@champion", digits["1"]) == (SMALL, 2)
    stack.file.unlink()
    put(OTHER)
    stack.ship()
    eventually(
        lambda: infer(clients[1], "mnist@champion", digits["1"]) == (OTHER, 1), FOLLOW_SECONDS
    )
    assert json.loads(stack.file.read_text())["aliases"][0]["experiment_name"] == OTHER
