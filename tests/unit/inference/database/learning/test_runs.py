"""Runs: pages, single runs, and how to start a worker where none has been seen."""

import pytest

from inference.database.learning.errors import UnknownRunError
from inference.database.learning.runs import NO_WORKER, Runs
from tests.support.fake_database import FakeDatabase


@pytest.mark.parametrize(("has_worker", "advice"), [(True, None), (False, NO_WORKER)])
def test_missing_worker_is_said_in_every_answer(has_worker: bool, advice: str | None) -> None:  # noqa: FBT001
    row = {"state": "QUEUED", "has_worker": has_worker}
    runs = Runs(FakeDatabase([row], [row], [row]))
    assert runs.one(1) == runs.state(1) == {"state": "QUEUED", "no_worker": advice}
    assert runs.no_worker() == advice


def test_advice_names_the_commands() -> None:
    assert "make worker" in NO_WORKER
    assert "docker compose --profile loop up -d" in NO_WORKER


def test_page_has_the_id_of_its_last_row_if_more_follow() -> None:
    rows = [{"run_id": number} for number in (9, 8)]
    criteria = {"task": None, "state": None, "kind": "score"}
    database = FakeDatabase(rows)
    assert Runs(database).page(criteria, 1, 10) == (rows[:1], 9)
    assert database.queries[0][1] == {**criteria, "before": 10, "limit": 2}


def test_unknown_run_raises() -> None:
    runs = Runs(FakeDatabase([], [], [], []))
    for call in (runs.one, runs.state, runs.steps):
        with pytest.raises(UnknownRunError):
            call(1)


def test_run_that_waits_has_no_steps() -> None:
    waiting = FakeDatabase([], [{"state": "QUEUED", "has_worker": True}])
    assert Runs(waiting).steps(1) == []
    assert Runs(FakeDatabase([{"name": "ingest"}])).steps(1) == [{"name": "ingest"}]
