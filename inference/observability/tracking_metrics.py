"""Metrics of the tracking process, from the status file that it writes beside its socket."""

import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servicekit.tracking_status import TrackingStatus, read_status

MAX_AGE_SECONDS = 60.0  # of the numbers of runs; older ones are missing rather than wrong


class TrackingCollector(Collector):
    """Collects `mlops_tracking_*`. Those that are not known are missing."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        status = read_status(self._socket)
        if status is not None:
            yield from _counts(status)
            if time.time() - status.read_at <= MAX_AGE_SECONDS:
                yield _runs(status)


def _counts(status: TrackingStatus) -> Iterable[Metric]:
    for name, text, value in (
        ("requests", "Requests that the tracking process answered.", status.requests),
        ("failures", "Requests that it answered with a status of 500 or more.", status.failures),
        ("points", "Points of metrics that requests brought to Postgres.", status.points),
    ):
        yield CounterMetricFamily(f"mlops_tracking_{name}", text, value)


def _runs(status: TrackingStatus) -> Metric:
    runs = GaugeMetricFamily(
        "mlops_tracking_runs",
        "Running runs; silent ones have sent nothing for RUN_SILENT_SECONDS.",
        labels=["state"],
    )
    runs.add_metric(["active"], status.running - status.silent)
    runs.add_metric(["silent"], status.silent)
    return runs
