"""Alerts: pages, and the outcomes of the database's functions."""

import pytest

from inference.database.monitoring.alerts import Alerts
from inference.database.monitoring.errors import AlertConflictError, UnknownAlertError
from inference.errors import ServiceError
from tests.support.fake_database import FakeDatabase


def test_page_has_its_last_id_if_more_follow() -> None:
    rows = [{"alert_id": number} for number in (9, 8, 7)]
    database = FakeDatabase(rows, rows)
    alerts, following = Alerts(database).page("mnist", is_open=True, limit=2, before=10)
    assert ([one["alert_id"] for one in alerts], following) == ([9, 8], 8)
    assert Alerts(database).page(None, is_open=None, limit=3, before=None)[1] is None
    assert database.queries[0][1] == {"task": "mnist", "open": True, "before": 10, "limit": 3}


def test_unknown_alert_raises() -> None:
    with pytest.raises(UnknownAlertError):
        Alerts(FakeDatabase([])).one(3)
    assert Alerts(FakeDatabase([{"alert_id": 3}])).one(3) == {"alert_id": 3}
    assert Alerts(FakeDatabase([{"label": "7"}])).examples(3) == [{"label": "7"}]


@pytest.mark.parametrize(
    ("outcome", "error"), [("unknown", UnknownAlertError), ("over", AlertConflictError)]
)
def test_closing_of_an_alert_that_is_not_open_raises(
    outcome: str, error: type[ServiceError]
) -> None:
    Alerts(FakeDatabase([{"outcome": "closed"}])).close(3, "ann", "x")
    with pytest.raises(error):
        Alerts(FakeDatabase([{"outcome": outcome}])).close(3, "ann", "x")


def test_labels_without_an_image_to_ask_for_raise() -> None:
    asked = {"task": "mnist", "novel": 0, "random": 4}
    database = FakeDatabase([asked])
    assert Alerts(database).request_labels(3, 9, "ann") == asked
    assert database.queries[0][1] == {"alert": 3, "by": "ann", "novel": 4, "random": 5}
    with pytest.raises(AlertConflictError, match="No image"):
        Alerts(FakeDatabase([{**asked, "random": 0}])).request_labels(3, 9, "ann")
    with pytest.raises(UnknownAlertError):
        Alerts(FakeDatabase([])).request_labels(3, 9, "ann")
