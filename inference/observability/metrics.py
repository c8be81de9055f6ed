"""Metrics: counters and histograms in Prometheus's base units, with labels of few values.

With PROMETHEUS_MULTIPROC_DIR set before prometheus_client is imported, several worker processes
count together, and GET /metrics of any of them answers for all.
"""

import itertools
import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# From the 0.2 ms of a LeNet-5 up to the longest that a client waits: the dashboard waits 8 s.
SECONDS_BUCKETS = (
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10,
)  # fmt: skip
# Statuses whose series exist from the start, for every operation. Prometheus's rate() does not see
# the count with which a series begins.
FIRST_STATUSES = (200, 400, 404, 500, 503)
# Names of the limits, see doc/security.md.
LIMITS = (
    "body", "connections", "end", "head", "head_bytes", "host", "http", "key", "large_bodies",
    "reader", "request_bytes", "requests", "streams", "uploads",
)  # fmt: skip
FAST, CONNEXION, PROTOCOL = "fast", "connexion", "protocol"  # paths of a request


class Metrics:
    """The metrics of this process, or its share of those that all workers count together."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own: CollectorRegistry | None = self._registry
        if MULTIPROCESS_VARIABLE in os.environ:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
            own = None

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(name, text, labels, registry=own)

        def histogram(name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(name, text, labels, registry=own, buckets=SECONDS_BUCKETS)

        self._requests = counter(
            "mlops_http_requests",
            "Answered HTTP requests by operation, status and path (fast, connexion or protocol).",
            ("operation", "status", "path"),
        )
        self._request_seconds = histogram(
            "mlops_http_request_duration_seconds",
            "Time from a request's headers to the end of its response.",
            ("operation",),
        )
        self.inference_seconds = histogram(
            "mlops_inference_duration_seconds",
            "Time of a batch of images through all models requested for it.",
        )
        self._predictions = counter(
            "mlops_predictions",
            "Predictions computed by task, images times models, without cache hits.",
            ("task",),
        )
        self.cache_hits = counter("mlops_cache_hits", "Predictions answered from the cache.")
        self.journal_refused = counter(
            "mlops_journal_refused", "Requests refused because the prediction log was full."
        )
        self.journal_dropped = counter(
            "mlops_journal_dropped", "Predictions not logged because the prediction log was full."
        )
        self.sampled_out = counter(
            "mlops_predictions_sampled_out", "Predictions not logged because of LOG_SHARE."
        )
        self.journal_lost = counter(
            "mlops_journal_lost",
            "Records of the prediction log that are lost because another program changed a file.",
        )
        self.originals_dropped = counter(
            "mlops_originals_dropped",
            "Original images not stored because the prediction log was half full.",
        )
        self._limits = counter(
            "mlops_limit_hits", "Requests and connections that exceeded a limit.", ("limit",)
        )
        self._children: dict[tuple[str, int, str], tuple[Counter, Histogram]] = {}
        self._task_children: dict[str, Counter] = {}

    def register(self, collector: Collector) -> None:
        """Add a collector whose values are read at every request of GET /metrics."""
        self._registry.register(collector)

    def create_series(
        self,
        operations: Iterable[str],
        fast_operations: Iterable[str],
        protocol_operations: Iterable[str] = (),
    ) -> None:
        """Create the series of requests and limits at 0, and the durations of fast operations.

        The durations of all would be most of the answer and of its cost.
        """
        for path, names in ((CONNEXION, operations), (PROTOCOL, protocol_operations)):
            for operation, status in itertools.product(names, FIRST_STATUSES):
                self._requests.labels(operation, status, path)
        for operation in fast_operations:
            self._child(operation, 200, FAST)
        for limit in LIMITS:
            self._limits.labels(limit)

    def create_task(self, task: str) -> Counter:
        """Create the series of a task's predictions at 0, if it does not exist, and return it."""
        child = self._task_children.get(task)
        if child is None:
            child = self._task_children[task] = self._predictions.labels(task)
        return child

    def count_request(self, operation: str, status: int, path: str, seconds: float) -> None:
        """Count an answered request; `path` is FAST, CONNEXION or PROTOCOL."""
        # looking children up by their labels costs more than counting
        children = self._children.get((operation, status, path))
        if children is None:
            children = self._child(operation, status, path)
        children[0].inc()
        children[1].observe(seconds)

    def count_predictions(self, task: str, count: int) -> None:
        """Count predictions that models of a task computed."""
        child = self._task_children.get(task)
        if child is None:
            child = self.create_task(task)
        child.inc(count)

    def count_limit(self, limit: str) -> None:
        """Count a request or connection that exceeded a limit."""
        self._limits.labels(limit).inc()

    def text(self) -> str:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()

    def _child(self, operation: str, status: int, path: str) -> tuple[Counter, Histogram]:
        children = (
            self._requests.labels(operation, status, path),
            self._request_seconds.labels(operation),
        )
        self._children[operation, status, path] = children
        return children
