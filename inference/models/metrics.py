"""Metrics of the model repository: the number of model versions in each state."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.models.repository import ModelRepository
from inference.models.version import State


class ModelStateCollector(Collector):
    """Counts the model versions by state, when asked."""

    def __init__(self, models: ModelRepository) -> None:
        self._models = models

    def collect(self) -> Iterable[Metric]:
        """Yield the gauge mlops_models."""
        gauge = GaugeMetricFamily(
            "mlops_models", "Model versions of the model directory by state.", labels=["state"]
        )
        states = [version.state for version in self._models.snapshot().all()]
        for state in State:
            gauge.add_metric([state.value], states.count(state))
        yield gauge
