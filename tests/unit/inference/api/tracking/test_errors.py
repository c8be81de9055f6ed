"""Errors of requests that do not reach the tracking process: clients repeat them."""

import pytest

from inference.api.tracking.errors import TrackingOffError, TrackingUnavailableError
from inference.errors import ServiceError


@pytest.mark.parametrize(
    ("error", "kind"),
    [(TrackingUnavailableError(), "tracking-unavailable"), (TrackingOffError(), "tracking-off")],
)
def test_errors_tell_to_repeat(error: ServiceError, kind: str) -> None:
    assert (error.status, error.document()["type"]) == (503, f"urn:mlops:problem:{kind}")
    assert error.retry_after_seconds is not None
