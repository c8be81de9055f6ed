"""Alerts: examples with their pixels, and arguments that are rejected."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from inference.api.monitoring.alerts import AlertsApi
from inference.database.monitoring.alerts import Alerts
from inference.database.monitoring.errors import UnknownAlertError
from inference.errors import MalformedRequestError
from tests.support.fake_database import FakeDatabase

CLOSED = {"state": "closed", "by": "ann", "reason": "a new scanner"}
PIXELS = bytes(range(256)) * 3 + bytes(16)


def api(*rows: list[dict[str, Any]]) -> AlertsApi:
    return AlertsApi(Alerts(FakeDatabase(*rows)))


@pytest.mark.parametrize("is_open", [True, False, None])
def test_page_passes_its_filters_on(is_open: bool | None) -> None:  # noqa: FBT001
    database = FakeDatabase([{"alert_id": 9}, {"alert_id": 7}])
    filters = {} if is_open is None else {"open": is_open}
    page = AlertsApi(Alerts(database)).list_alerts("mnist", 1, 2**70, **filters)
    assert page == {"alerts": [{"alert_id": 9}], "next": 9}
    assert database.queries[0][1] == {
        "task": "mnist", "open": is_open, "before": 2**63 - 1, "limit": 2,
    }  # fmt: skip


def test_example_has_its_pixels_as_a_png() -> None:
    rows: list[dict[str, Any]] = [
        {"label": "7", "pixels": memoryview(PIXELS)},
        {"label": "1", "pixels": None},
    ]
    shown, expired = api([{"alert_id": 3}], rows).get_alert(3)["examples"]
    image = Image.open(io.BytesIO(base64.b64decode(shown["view"])))
    assert (image.size, image.tobytes()) == ((28, 28), PIXELS)
    assert expired == {"label": "1", "view": None}


def test_closing_answers_with_the_alert() -> None:
    database = FakeDatabase([{"outcome": "closed"}], [{"alert_id": 3, "state": "closed"}])
    answer = AlertsApi(Alerts(database)).close_alert(3, CLOSED)
    assert answer == {"alert_id": 3, "state": "closed"}
    assert database.queries[0][1] == [3, "ann", "a new scanner"]


@pytest.mark.parametrize(
    "body",
    [
        None, {}, {**CLOSED, "state": "open"}, {"by": "ann", "reason": "x"}, {**CLOSED, "by": " "},
        {**CLOSED, "reason": "\x00"}, {**CLOSED, "more": 1},
    ],
)  # fmt: skip
def test_bad_closing_raises(body: Any) -> None:
    with pytest.raises(MalformedRequestError):
        api().close_alert(3, body)


def test_labels_are_asked_for_in_halves() -> None:
    database = FakeDatabase([{"task": "mnist", "novel": 50, "random": 50}])
    answer = AlertsApi(Alerts(database)).request_alert_labels(3, {})
    assert answer == ({"alert_id": 3, "task": "mnist", "novel": 50, "random": 50}, 201)
    assert database.queries[0][1] == {"alert": 3, "by": "api", "novel": 50, "random": 50}


@pytest.mark.parametrize("body", [None, {"by": " "}, {"images": 1}, {"images": 1001}, {"x": 1}])
def test_bad_request_of_labels_raises(body: Any) -> None:
    with pytest.raises(MalformedRequestError):
        api().request_alert_labels(3, body)


def test_id_that_no_row_can_have_is_unknown() -> None:
    with pytest.raises(UnknownAlertError):
        api().get_alert(0)
    with pytest.raises(UnknownAlertError):
        api().close_alert(2**63, CLOSED)
