"""What the service counts and measures, in Prometheus's base units, with labels of few values only.

Several worker processes count together when PROMETHEUS_MULTIPROC_DIR names a directory before
prometheus_client is imported; then any worker's answer to GET /metrics speaks for all.
"""

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from inference.models.repository import ModelRepository, State
from inference.prediction_log.journal import Journal

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# From a LeNet-5's 0.2 ms up to the longest that a caller waits.
SECONDS_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The metrics of one process, in a registry of its own, or its share of those that the workers
    have together.
    """

    def __init__(self, models: ModelRepository, journal: Journal | None) -> None:
        self._registry = CollectorRegistry()
        own: CollectorRegistry | None = self._registry
        if MULTIPROCESS_VARIABLE in os.environ:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
            own = None
        self._registry.register(_ModelStates(models))
        if journal is not None:
            self._registry.register(_Waiting(journal))
        self._requests = Counter(
            "mlops_http_requests",
            "Answered HTTP requests.",
            ["operation", "status", "lane"],
            registry=own,
        )
        self._request_seconds = Histogram(
            "mlops_http_request_duration_seconds", "Time from a request's headers to its answer's end.",
            ["operation"], buckets=SECONDS_BUCKETS, registry=own,
        )  # fmt: skip
        self.inference_seconds = Histogram(
            "mlops_inference_duration_seconds", "Time of a chunk of images through the models that it was for.",
            buckets=SECONDS_BUCKETS, registry=own,
        )  # fmt: skip
        self.predictions = Counter(
            "mlops_predictions", "Images that a model was run on.", registry=own
        )
        self.cache_hits = Counter(
            "mlops_cache_hits",
            "Answers that were given without running a model again.",
            registry=own,
        )
        self.journal_refused = Counter(
            "mlops_journal_refused",
            "Requests that were refused because the log was full.",
            registry=own,
        )
        self.journal_dropped = Counter(
            "mlops_journal_dropped", "Answers that the full log does not have.", registry=own
        )
        self.originals_dropped = Counter(
            "mlops_originals_dropped",
            "Originals not stored for lack of room in the log.",
            registry=own,
        )
        self.limits = Counter(
            "mlops_limit_hits",
            "Requests and connections that met a limit.",
            ["limit"],
            registry=own,
        )
        self._children: dict[tuple[str, int, str], tuple[Counter, Histogram]] = {}

    def answered(self, operation: str, status: int, lane: str, seconds: float) -> None:
        """Count an answered request, of the lane `fast` or `connexion`."""
        children = self._children.get((operation, status, lane))
        if children is None:  # looking children up by their labels costs more than counting
            children = (
                self._requests.labels(operation, status, lane),
                self._request_seconds.labels(operation),
            )
            self._children[operation, status, lane] = children
        children[0].inc()
        children[1].observe(seconds)

    def text(self) -> str:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _ModelStates(Collector):
    """How many models are in each state, looked at when asked."""

    def __init__(self, models: ModelRepository) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "mlops_models", "Models of the model directory by state.", labels=["state"]
        )
        states = [model.state for model in self._models.all()]
        for state in State:
            gauge.add_metric([state.value], states.count(state))
        yield gauge


class _Waiting(Collector):
    """What of the log Postgres does not have yet, of all processes, looked at when asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def collect(self) -> Iterable[Metric]:
        waiting_bytes, waiting_seconds = self._journal.pending()
        yield GaugeMetricFamily(
            "mlops_journal_waiting_bytes", "Log that Postgres does not have yet.", waiting_bytes
        )
        yield GaugeMetricFamily(
            "mlops_journal_waiting_seconds", "Age of the oldest record of it.", waiting_seconds
        )
        yield GaugeMetricFamily(
            "mlops_journal_bytes", "What the files of the log take.", self._journal.total()
        )
