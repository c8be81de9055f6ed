"""API client: problems as sentences, and addresses that are not the stack's."""

import ml_ops_starter_client as client
import pytest
from ml_ops_starter_client.api import Api, ApiProblemError

from tests.support.fake_tracking import FakeTracking


def test_problem_has_status_sentence_and_pause(service: FakeTracking) -> None:
    service.outage = (503, {"Retry-After": "7"})
    with Api(service.url, None) as api, pytest.raises(ApiProblemError) as error:
        api.get("/experiments")
    assert (error.value.status, error.value.detail) == (503, "The database is away.")
    assert error.value.retry_after == 7


def test_proxy_of_the_environment_is_not_used_for_this_machine(
    service: FakeTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers["/experiments"] = {"experiments": []}
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert client.leaderboard(frame=False) == []


def test_connection_that_the_service_closed_is_replaced(service: FakeTracking) -> None:
    service.answers["/experiments"] = {"experiments": []}
    with Api(service.url, None) as api:
        api.get("/experiments")
        service.stop()
        service.start()
        assert api.get("/experiments") == {"experiments": []}
