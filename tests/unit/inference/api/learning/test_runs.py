"""Runs: requests are checked, and a promotion is known to this process at once."""

from typing import Any, cast

import pytest

from inference.api.learning.runs import RunsApi
from inference.database.learning.datasets import Datasets
from inference.database.learning.errors import UnknownDatasetError, UnknownRunError
from inference.database.learning.run_requests import Author, RunRequests
from inference.database.learning.runs import Runs
from inference.errors import MalformedRequestError, UnknownExperimentError
from inference.models.aliases import Target
from tests.support.fake_database import FakeDatabase

BY = {"by": "ann", "reason": "why"}
NEW = {"task": "mnist", "experiment_name": "a", **BY}
STATE = {"state": "QUEUED", "experiment_name": "a", "has_worker": True}
ANSWER = {"state": "QUEUED", "experiment_name": "a", "no_worker": None}
MOVE = {
    "task": "mnist", "alias": "champion", "experiment_name": "b", "version": 2, "event_id": 9,
    "model_digest": "d",
}  # fmt: skip


class FakeRequests:
    """Remembers the requests, and has prepared outcomes."""

    def __init__(self, outcome: str = "queued") -> None:
        self.requested: list[Any] = []
        self._outcome = outcome

    def retrain(self, *arguments: Any) -> tuple[int, bool]:
        self.requested.append(arguments)
        return 5, True

    def score(self, *arguments: Any) -> int:
        self.requested.append(arguments)
        return 6

    def cancel(self, _run_id: int, _author: Author) -> str:
        return self._outcome

    def retry(self, _run_id: int, _author: Author) -> str:
        return self._outcome

    def promote(self, _run_id: int, _author: Author) -> tuple[str, Any]:
        return self._outcome, MOVE


class Setup:
    """The API with its parts; `rows` are the results of queries."""

    def __init__(self, *rows: list[dict[str, Any]], outcome: str = "queued") -> None:
        database = FakeDatabase(*rows)
        self.requests = FakeRequests(outcome)
        self.moves: list[tuple[str, str, Target]] = []
        self.api = RunsApi(
            Runs(database),
            cast("RunRequests", self.requests),
            Datasets(database),
            lambda: {"a": "mnist"},
            lambda *move: self.moves.append(move),
        )


def test_retrain_answers_with_the_address_of_the_run() -> None:
    setup = Setup([STATE])
    started = setup.api.retrain({**NEW, "seeds": 1, "trigger": "manual"})
    assert (started.status, started.location) == (202, "/runs/5")
    assert started.document == {"run_id": 5, "joined": True, **ANSWER}
    parameters = {"seeds": 1, "dataset": "latest", "keep": False}
    assert setup.requests.requested == [
        ("mnist", "a", parameters, "manual", Author("ann", "why")),
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"task": "Mnist"}, MalformedRequestError),
        ({"experiment_name": "b"}, UnknownExperimentError),
        ({"experiment_name": "b b"}, MalformedRequestError),
        ({"trigger": "schedule"}, MalformedRequestError),
        ({"dataset": "d" * 64}, UnknownDatasetError),
        ({"seeds": 0}, MalformedRequestError),
        ({"more": 1}, MalformedRequestError),
        ({"by": ""}, MalformedRequestError),
    ],
)
def test_bad_retraining_is_not_requested(changes: dict[str, Any], error: type[Exception]) -> None:
    setup = Setup([])
    with pytest.raises(error):
        setup.api.retrain({**NEW, **changes})
    assert setup.requests.requested == []


def test_score_takes_a_dataset_or_a_prefix() -> None:
    setup = Setup([STATE], [{}], [STATE])
    assert setup.api.score({"task": "mnist", "prefix": "a/b=1", **BY}).location == "/runs/6"
    by_dataset = {"task": "mnist", "dataset": "d" * 64, "experiments": ["a@1"], **BY}
    assert setup.api.score(by_dataset).document["joined"] is False
    assert [request[1] for request in setup.requests.requested] == [
        {"prefix": "a/b=1", "experiments": ["champion"]},
        {"dataset": "d" * 64, "experiments": ["a@1"]},
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"prefix": "/a"}, {"prefix": "a/../b"}, {"prefix": "a//b"}, {"prefix": ""},
        {"prefix": "a", "dataset": "latest"}, {"experiments": []}, {"prefix": 1},
    ],
)  # fmt: skip
def test_bad_score_is_not_requested(changes: dict[str, Any]) -> None:
    setup = Setup()
    with pytest.raises(MalformedRequestError):
        setup.api.score({"task": "mnist", **BY, **changes})
    assert setup.requests.requested == []


def test_reads_are_passed_on() -> None:
    setup = Setup([{"run_id": 5}], [{"has_worker": False}], [STATE], [{"name": "train"}])
    listed = setup.api.list_runs("mnist", "QUEUED", "retrain")
    assert (listed["runs"], listed["next"]) == ([{"run_id": 5}], None)
    assert "make worker" in listed["no_worker"]
    assert setup.api.get_run(5) == ANSWER
    assert setup.api.list_run_steps(5) == {"run_id": 5, "steps": [{"name": "train"}]}


@pytest.mark.parametrize(
    ("change", "outcome", "status"),
    [
        ("cancel_run", "cancelled", 200),
        ("cancel_run", "requested", 202),
        ("retry_run", "queued", 202),
    ],
)
def test_change_answers_with_outcome_and_state(change: str, outcome: str, status: int) -> None:
    setup = Setup([STATE], outcome=outcome)
    document, code = getattr(setup.api, change)(5, BY)
    assert (code, document) == (status, {"run_id": 5, "outcome": outcome, **ANSWER})


@pytest.mark.parametrize(("outcome", "moves"), [("moved", 1), ("already", 0)])
def test_promotion_is_known_at_once_if_the_alias_has_moved(outcome: str, moves: int) -> None:
    setup = Setup(outcome=outcome)
    assert setup.api.promote_run(5, BY) == {"run_id": 5, "outcome": outcome, **MOVE}
    assert setup.moves == [("mnist", "champion", Target("b", 2, 9))] * moves


@pytest.mark.parametrize("change", ["cancel_run", "retry_run", "promote_run"])
def test_change_of_an_impossible_run_or_without_author_raises(change: str) -> None:
    with pytest.raises(UnknownRunError):
        getattr(Setup().api, change)(2**63, BY)
    with pytest.raises(MalformedRequestError):
        getattr(Setup().api, change)(5, {"by": "ann"})
