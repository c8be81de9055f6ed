"""Stand-in for the monitor: an exporter of its metrics with values that a test sets.

The names, types and labels are those of the monitor's own metrics. A test with the real monitor
scrapes its port instead (MONITOR_METRICS_PORT).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

VERSION = ("task", "experiment_name", "version")
FAMILY = (*VERSION, "family")


class MonitorMetrics:
    """The metrics of a monitor that watches one version of one task."""

    def __init__(self, task: str, experiment_name: str, version: str = "1") -> None:
        self.registry = CollectorRegistry()
        self._version = (task, experiment_name, version)
        self._open = self._gauge("mlops_drift_open", (*FAMILY, "severity"))
        evidence = self._gauge("mlops_drift_evidence", FAMILY)
        for family in ("inputs", "novelty", "confidence", "labels"):
            evidence.labels(*self._version, family).set(1.5)
        self.set_open("inputs", "warning", 0)
        for name, value in (
            ("test_accuracy", 0.988),
            ("estimated_accuracy", 0.985),
            ("live_accuracy", 0.97),
            ("live_accuracy_lower", 0.95),
            ("live_accuracy_upper", 0.99),
        ):
            self._gauge(f"mlops_{name}", VERSION).labels(*self._version).set(value)
        for name in ("examined", "skipped"):
            full_name = f"mlops_monitor_{name}_images"
            Counter(full_name, "Images.", ["task"], registry=self.registry).labels(task).inc(3)
        checked = self._gauge("mlops_monitor_last_check_timestamp_seconds", ())
        checked.set_function(time.time)

    def set_open(self, family: str, severity: str, count: int) -> None:
        """Set the number of open alerts of a family."""
        self._open.labels(*self._version, family, severity).set(count)

    @contextmanager
    def serve(self, port: int) -> Iterator[None]:
        """Answer on a port of loopback."""
        server, thread = start_http_server(port, "127.0.0.1", self.registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _gauge(self, name: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, "A metric of the monitor.", labels, registry=self.registry)
