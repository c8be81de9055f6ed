"""Writes of the monitoring: paths and bodies of the API, and its answers."""

from typing import Any

import pytest

from web.data.api_types import ApiProblemError
from web.data.monitoring.client import AskedLabels, MonitoringClient


class FakeApi:
    """Records requests and returns one prepared document."""

    def __init__(self, document: Any = None) -> None:
        self.document = document
        self.sent: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        self.sent.append((method, path, arguments["json"]))
        return self.document

    def content(self, path: str) -> bytes:
        self.sent.append(("GET", path, None))
        return b"mlops_journal_waiting_seconds 2.0\n\xff"


def client(api: FakeApi) -> MonitoringClient:
    return MonitoringClient(api)  # type: ignore[arg-type]


def test_requests_have_path_and_author() -> None:
    api = FakeApi()
    client(api).accept("a/b", 500, by="ann")
    client(api).close(3, by="ann", reason="a new scanner")
    assert api.sent == [
        ("POST", "/monitors/a%2Fb/reference", {"from": "traffic", "images": 500, "by": "ann"}),
        ("PUT", "/alerts/3", {"state": "closed", "by": "ann", "reason": "a new scanner"}),
    ]


def test_asked_labels_are_counted() -> None:
    api = FakeApi({"novel": 40, "random": 50})
    assert client(api).request_labels(3, 100, by="ann") == AskedLabels(40, 50)
    with pytest.raises(ApiProblemError):
        client(FakeApi({})).request_labels(3, 100, by="ann")


def test_metrics_are_read() -> None:
    assert client(FakeApi()).metrics().log_lag_seconds == 2.0
