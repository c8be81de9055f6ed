"""Metrics of the service in Prometheus's text format: answers by status, and the log's lag."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[^ ]+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
REQUESTS, LAG = "mlops_http_requests_total", "mlops_journal_waiting_seconds"
OPERATIONS = ("inference", "predictions")


@dataclass(frozen=True)
class ServiceMetrics:
    """Metrics of the inference service since its start.

    Attributes:
        statuses: number of answers of the prediction operations by HTTP status.
        log_lag_seconds: age of the oldest record that is not in Postgres, None if unknown.

    """

    statuses: Mapping[int, int]
    log_lag_seconds: float | None

    @property
    def answers(self) -> int:
        """Number of answers."""
        return sum(self.statuses.values())

    @property
    def server_errors(self) -> int:
        """Number of answers with a status from 500."""
        return sum(count for status, count in self.statuses.items() if status >= 500)  # noqa: PLR2004


def parse_metrics(text: str) -> ServiceMetrics:
    """Return the metrics in a text of Prometheus. Unreadable lines are skipped."""
    statuses: dict[int, int] = {}
    lag = None
    for line in text.splitlines():
        found = SAMPLE.match(line)
        if found is None:
            continue
        value = _number(found["value"])
        labels = dict(LABEL.findall(found["labels"] or ""))
        if found["name"] == LAG:
            lag = value
        elif found["name"] == REQUESTS and labels.get("operation") in OPERATIONS:
            status = labels.get("status", "")
            if status.isdecimal() and value:
                statuses[int(status)] = statuses.get(int(status), 0) + round(value)
    return ServiceMetrics(statuses, lag)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
