"""Monitor metrics with values that a test sets, served as the monitor serves them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from monitoring.metrics import Accuracy, Counts, MonitorCollector, Snapshot

FAMILIES = ("inputs", "novelty", "confidence", "labels")


class MonitorMetrics:
    """The metrics of a monitor that watches one version of one task."""

    def __init__(self, task: str, experiment_name: str, version: str = "1") -> None:
        self._version = (task, experiment_name, version)
        self._collector = MonitorCollector()
        self._collector.counts = {task: Counts(examined=3)}
        self._collector.checked_at = time.time()
        self.set_open("inputs", "warning", 0)

    def set_open(self, family: str, severity: str, count: int) -> None:
        """Set the number of open alerts of a family."""
        self._collector.snapshot = Snapshot(
            {(*self._version, family, severity): count},
            {(*self._version, name): 1.5 for name in FAMILIES},
            {self._version: Accuracy(0.988, 0.985, 0.97, 0.95, 0.99)},
        )

    @contextmanager
    def serve(self, port: int) -> Iterator[None]:
        """Answer on a port of loopback."""
        registry = CollectorRegistry()
        registry.register(self._collector)
        server, thread = start_http_server(port, "127.0.0.1", registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
