"""Label requests: pages by usefulness, and the outcomes of the database's functions."""

import pytest

from inference.database.learning.errors import (
    LabelRequestConflictError,
    NoLabelError,
    UnknownLabelRequestError,
)
from inference.database.learning.label_requests import FIRST, LabelRequests
from inference.errors import ServiceError, UnknownPredictionError
from tests.support.fake_database import FakeDatabase


def test_page_has_the_place_of_its_last_row_if_more_follow() -> None:
    rows = [{"request_id": number, "rank": 1 + number // 9} for number in (8, 9, 10)]
    database = FakeDatabase(rows, rows)
    requests, place = LabelRequests(database).page("mnist", 2, (1, 7))
    assert (requests, place) == ([{"request_id": 8}, {"request_id": 9}], (2, 9))
    assert database.queries[0][1] == {"task": "mnist", "rank": 1, "after": 7, "limit": 3}
    assert LabelRequests(database).page("mnist", 3, FIRST)[1] is None


def test_ask_returns_the_number_or_raises_without_one() -> None:
    assert LabelRequests(FakeDatabase([{"asked": 3}])).ask("mnist", 5, "ann") == 3
    with pytest.raises(LabelRequestConflictError, match="left to ask"):
        LabelRequests(FakeDatabase([{"asked": 0}])).ask("mnist", 5, "ann")


def test_of_task_returns_its_row() -> None:
    row = {"open": 2, "classes": None}
    assert LabelRequests(FakeDatabase([row])).of_task("mnist") == row


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("unknown", UnknownLabelRequestError), ("over", LabelRequestConflictError)],
)
def test_skip_of_a_request_that_is_not_open_raises(outcome: str, error: type[ServiceError]) -> None:
    LabelRequests(FakeDatabase([{"outcome": "skipped"}])).skip(1, "ann")
    with pytest.raises(error):
        LabelRequests(FakeDatabase([{"outcome": outcome}])).skip(1, "ann")


@pytest.mark.parametrize(
    ("outcome", "error"), [("unknown", UnknownPredictionError), ("no label", NoLabelError)]
)
def test_withdrawal_without_a_label_raises(outcome: str, error: type[ServiceError]) -> None:
    LabelRequests(FakeDatabase([{"outcome": "withdrawn"}])).withdraw("id", "ann")
    with pytest.raises(error):
        LabelRequests(FakeDatabase([{"outcome": outcome}])).withdraw("id", "ann")
