"""API calls of the monitoring: close an alert, ask for labels, accept traffic; and metrics."""

from dataclasses import dataclass
from urllib.parse import quote

from web.data import api_parsing
from web.data.api_client import ApiClient
from web.data.monitoring.metrics import ServiceMetrics, parse_metrics

CREATED, ACCEPTED = 201, 202


@dataclass(frozen=True)
class AskedLabels:
    """Numbers of images whose label was asked for: since the onset of an alert, and at random."""

    novel: int
    random: int


class MonitoringClient:
    """Writes of the monitoring over an API client. Thread-safe.

    Every method raises ApiUnreachableError without a response, and ApiProblemError for an error
    response or a response that breaks the contract.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def accept(self, task: str, images: int, *, by: str) -> None:
        """Ask the monitor to take what is sent now as normal."""
        self._api.request(
            "POST",
            f"/monitors/{quote(task, safe='')}/reference",
            accept=(ACCEPTED,),
            json={"from": "traffic", "images": images, "by": by},
        )

    def close(self, alert: int, *, by: str, reason: str) -> None:
        """Close an alert."""
        self._api.request(
            "PUT", f"/alerts/{alert}", json={"state": "closed", "by": by, "reason": reason}
        )

    def request_labels(self, alert: int, images: int, *, by: str) -> AskedLabels:
        """Ask for labels, half of them of images since the onset of an alert."""
        document = self._api.request(
            "POST",
            f"/alerts/{alert}/label-requests",
            accept=(CREATED,),
            json={"images": images, "by": by},
        )
        return api_parsing.parse_document(
            lambda one: AskedLabels(int(one["novel"]), int(one["random"])), document
        )

    def metrics(self) -> ServiceMetrics:
        """Fetch errors and the lag of the prediction log."""
        return parse_metrics(self._api.content("/metrics").decode("utf-8", "replace"))
