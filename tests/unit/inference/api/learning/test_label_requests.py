"""Label requests: places of pages, and arguments that are rejected."""

from typing import Any

import pytest

from inference.api.learning.label_requests import LabelRequestsApi
from inference.database.learning.errors import UnknownLabelRequestError
from inference.database.learning.label_requests import LabelRequests
from inference.errors import MalformedRequestError
from tests.support.fake_database import FakeDatabase

UUID = "0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07"


def api(*rows: list[dict[str, Any]]) -> LabelRequestsApi:
    return LabelRequestsApi(LabelRequests(FakeDatabase(*rows)))


def test_cursor_is_the_place_of_the_last_request() -> None:
    rows = [{"request_id": 7, "rank": 1}, {"request_id": 3, "rank": 2}]
    database = FakeDatabase(rows, [{"open": 2, "classes": ["0"]}], [], [{}])
    own = LabelRequestsApi(LabelRequests(database))
    page = own.list_label_requests("mnist", 1)
    assert page == {
        "requests": [{"request_id": 7}], "next": "1.7", "open": 2, "classes": ["0"],
    }  # fmt: skip
    own.list_label_requests("mnist", 1, page["next"])
    assert database.queries[2][1] == {"task": "mnist", "rank": 1, "after": 7, "limit": 2}


@pytest.mark.parametrize(
    "cursor", ["", "1", "1.", "0.1", "1.x", "1.1\n", "1." + "9" * 19, "\u0661.1"]
)
def test_bad_cursor_raises(cursor: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        api().list_label_requests("mnist", 1, cursor)
    assert raised.value.path == "cursor"


def test_changes_answer_with_what_was_done() -> None:
    asked = api([{"asked": 2}]).request_labels({"task": "mnist", "images": 5, "by": "ann"})
    assert asked == ({"task": "mnist", "asked": 2}, 201)
    skipped = api([{"outcome": "skipped"}]).skip_label_request(4, {"by": "ann"})
    assert skipped == {"request_id": 4, "skipped_by": "ann"}
    withdrawn = api([{"outcome": "withdrawn"}]).withdraw_label(UUID.upper(), "ann")
    assert withdrawn == {"prediction_id": UUID, "label": None, "withdrawn_by": "ann"}


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, {"task": "mnist", "images": 0, "by": "a"},
        {"task": "mnist", "images": 1001, "by": "a"}, {"task": "A", "images": 1, "by": "a"},
        {"task": "mnist", "images": 1}, {"task": "mnist", "images": 1, "by": "a", "more": 1},
    ],
)  # fmt: skip
def test_bad_request_of_labels_raises(body: Any) -> None:
    with pytest.raises(MalformedRequestError):
        api().request_labels(body)


def test_bad_skip_and_withdrawal_raise() -> None:
    with pytest.raises(MalformedRequestError):
        api().skip_label_request(4, {})
    with pytest.raises(UnknownLabelRequestError):
        api().skip_label_request(0, {"by": "ann"})
    for prediction, by in (("x", "ann"), (UUID, "\x00"), (UUID, " ")):
        with pytest.raises(MalformedRequestError):
            api().withdraw_label(prediction, by)
