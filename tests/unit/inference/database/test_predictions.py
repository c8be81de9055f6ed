"""Pages continue at their cursor, and labels wait for predictions that are being shipped."""

from datetime import UTC, datetime
from typing import Any

import pytest

from inference.database import predictions
from inference.database.predictions import Filter, History, page_query, read_cursor
from inference.errors import (
    InvalidValueError,
    LabelConflictError,
    MalformedRequestError,
    NotYetStoredError,
    UnknownPredictionError,
    UnlabelableImageError,
)
from tests.support.fake_database import FakeDatabase

ID = "00000000-0000-8000-8000-00000000000a"
CREATED_AT = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


def make_row(prediction_id: str = ID) -> dict[str, Any]:
    return {
        "prediction_id": prediction_id,
        "created_at": "2026-02-03T04:05:06.000007Z",
        "classes": ["x", "y"],
        "probabilities": [0.25, 0.75],
    }


def make_outcome(outcome: str, **columns: object) -> list[dict[str, Any]]:
    row = {"task": "t", "classes": ["x", "y"], "current_label": "x", "current_by": "ann"}
    return [{"outcome": outcome, "labelled_at": "2026-02-03T04:05:06Z", **row, **columns}]


def no_backlog() -> int:
    return 0


def test_page_returns_probabilities_by_label_and_its_cursor() -> None:
    history = History(FakeDatabase([make_row(), make_row(), make_row()]), no_backlog)
    items, cursor = history.page(Filter(), 2)
    assert [item["probabilities"] for item in items] == [{"x": 0.25, "y": 0.75}] * 2
    assert "classes" not in items[0]
    assert cursor is not None
    assert read_cursor(cursor) == (CREATED_AT, ID)


def test_next_page_starts_after_its_cursor() -> None:
    database = FakeDatabase([make_row(), make_row()], [])
    history = History(database, no_backlog)
    _, cursor = history.page(Filter(), 1)
    assert history.page(Filter(), 1, cursor) == ([], None)
    statement, arguments = database.queries[1]
    assert "(p.created_at, p.id) < (%(before)s, %(before_id)s)" in statement
    assert isinstance(arguments, dict)
    assert (arguments["before"], arguments["before_id"], arguments["limit"]) == (CREATED_AT, ID, 2)


def test_last_page_has_no_cursor() -> None:
    assert History(FakeDatabase([make_row()]), no_backlog).page(Filter(), 1)[1] is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "A" * 31, "A" * 33, "=" * 32, "/" * 32])
def test_invalid_cursor_is_explained(cursor: str) -> None:
    with pytest.raises(MalformedRequestError, match="Send `next` of an earlier response"):
        History(FakeDatabase(), no_backlog).page(Filter(), 1, cursor)


@pytest.mark.parametrize(
    ("criteria", "condition"),
    [
        (Filter(since=CREATED_AT), "p.created_at >= %(since)s"),
        (Filter(until=CREATED_AT), "p.created_at < %(until)s"),
        (Filter(disagreement=False), "NOT p.disagrees"),
        (Filter(corrected=True), "p.true_label IS NOT NULL"),
        (Filter(wrong=True), "(p.true_label <> p.label) IS TRUE"),
        (Filter(label="7"), "p.label = %(label)s"),
        (Filter(experiment_name="a", label="7"), "c.label = %(label)s"),
        (Filter(experiment_name="a", version=2), "m.version = %(version)s"),
    ],
)
def test_page_query_has_the_conditions_of_its_filter(criteria: Filter, condition: str) -> None:
    statement, _ = page_query(criteria, 10, None)
    assert condition in statement
    assert condition not in page_query(Filter(), 10, None)[0]


def test_one_without_a_row_raises() -> None:
    with pytest.raises(UnknownPredictionError):
        History(FakeDatabase([]), no_backlog).one(ID)


def test_label_returns_what_is_stored() -> None:
    history = History(FakeDatabase(make_outcome("stored")), no_backlog)
    assert history.label(ID, "x", "ann", None) == {
        "prediction_id": ID,
        "task": "t",
        "label": "x",
        "labelled_by": "ann",
        "labelled_at": "2026-02-03T04:05:06Z",
    }


@pytest.mark.parametrize(
    ("current_label", "message"),
    [("x", "To replace it, send it as `replaces`"), (None, "without `replaces`")],
)
def test_label_conflict_says_what_to_send(current_label: str | None, message: str) -> None:
    outcome = make_outcome("conflict", current_label=current_label)
    with pytest.raises(LabelConflictError, match=message):
        History(FakeDatabase(outcome), no_backlog).label(ID, "y", "ann", "z")


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["x", "y"], "Send one of x, y."), (["long name"] * 100, "the 100 classes of GET")],
)
def test_label_of_no_class_lists_the_classes(classes: list[str], message: str) -> None:
    outcome = make_outcome("no class", classes=classes)
    with pytest.raises(InvalidValueError, match=message):
        History(FakeDatabase(outcome), no_backlog).label(ID, "z", "ann", None)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [("no digit", "found no digit in the image"), ("several digits", "has several digits")],
)
def test_label_of_a_warned_image_is_refused(outcome: str, message: str) -> None:
    with pytest.raises(UnlabelableImageError, match=message):
        History(FakeDatabase(make_outcome(outcome)), no_backlog).label(ID, "x", "ann", None)


def test_label_without_a_backlog_does_not_wait() -> None:
    with pytest.raises(UnknownPredictionError):
        History(FakeDatabase(make_outcome("unknown")), no_backlog).label(ID, "x", "ann", None)


def test_label_waits_for_a_pending_prediction() -> None:
    unknown = make_outcome("unknown")
    database = FakeDatabase(unknown, unknown, make_outcome("stored"))
    assert History(database, lambda: 1).label(ID, "x", "ann", None)["label"] == "x"


def test_label_of_a_prediction_that_stays_pending_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "ARRIVAL_SECONDS", 0.0)
    database = FakeDatabase(make_outcome("unknown"), make_outcome("unknown"))
    with pytest.raises(NotYetStoredError):
        History(database, lambda: 1).label(ID, "x", "ann", None)
