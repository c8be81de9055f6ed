"""Requests of runs: the outcomes of the database's functions become answers and errors."""

import json

import pytest

from inference.database.learning.errors import RunConflictError, UnknownRunError
from inference.database.learning.run_requests import Author, RunRequests
from tests.support.fake_database import FakeDatabase

ANN = Author("ann", "better data")


def test_retrain_returns_id_and_whether_it_was_joined() -> None:
    database = FakeDatabase([{"run_id": 5, "joined": True}])
    assert RunRequests(database).retrain("mnist", "a", {"seeds": 1}, "api", ANN) == (5, True)
    arguments = database.queries[0][1]
    assert arguments == ["mnist", "a", json.dumps({"seeds": 1}), "api", "ann", "better data"]


def test_score_returns_the_id() -> None:
    assert RunRequests(FakeDatabase([{"run_id": 6}])).score("mnist", {}, ANN) == 6


def test_outcomes_are_returned() -> None:
    assert RunRequests(FakeDatabase([{"outcome": "requested"}])).cancel(5, ANN) == "requested"
    assert RunRequests(FakeDatabase([{"outcome": "queued"}])).retry(5, ANN) == "queued"
    move = {"event_id": 9}
    database = FakeDatabase([{"outcome": "moved", "event_id": 9}], [move])
    assert RunRequests(database).promote(5, ANN) == ("moved", move)


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        ("over", "nothing to cancel"),
        ("running", "not over"),
        ("nothing", "nothing to retry"),
        ("open run 12", "Run 12 of the task is open"),
        ("not promoted", "not PROMOTE"),
        ("champion changed", "has changed"),
        ("not ready", "not READY"),
    ],
)
def test_outcome_without_a_change_is_a_conflict(outcome: str, detail: str) -> None:
    row = {"outcome": outcome, "event_id": None}
    for change in ("cancel", "retry", "promote"):
        with pytest.raises(RunConflictError, match=detail):
            getattr(RunRequests(FakeDatabase([row])), change)(5, ANN)


def test_unknown_run_raises() -> None:
    with pytest.raises(UnknownRunError):
        RunRequests(FakeDatabase([{"outcome": "unknown"}])).retry(5, ANN)
