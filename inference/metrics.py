"""What the service counts and measures, in Prometheus's base units, with labels of few values only."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.models import ModelDirectory, State

# From a LeNet-5's 0.2 ms up to the longest that a caller waits.
SECONDS_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self, models: ModelDirectory) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_ModelStates(models))
        self.requests = Counter("mlops_http_requests", "Answered HTTP requests.", ["operation", "status"], registry=self._registry)
        self.request_seconds = Histogram(
            "mlops_http_request_duration_seconds", "Time from a request's headers to its answer's end.",
            ["operation"], buckets=SECONDS_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self.inference_seconds = Histogram(
            "mlops_inference_duration_seconds", "Time of one image through one model.",
            buckets=SECONDS_BUCKETS, registry=self._registry,
        )  # fmt: skip

    def text(self) -> str:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _ModelStates(Collector):
    """How many models are in each state, looked at when asked."""

    def __init__(self, models: ModelDirectory) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily("mlops_models", "Models of the model directory by state.", labels=["state"])
        states = [model.state for model in self._models.all()]
        for state in State:
            gauge.add_metric([state.value], states.count(state))
        yield gauge
