"""Journal metrics: size and age of the backlog of all processes, measured on collection."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.prediction_log.backlog import pending_bytes, pending_seconds
from inference.prediction_log.journal import Journal
from inference.prediction_log.segments import total_bytes


class JournalCollector(Collector):
    """Collects the gauges `mlops_journal_*`."""

    def __init__(self, journal: Journal) -> None:
        self._directory = journal.directory

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        yield GaugeMetricFamily(
            "mlops_journal_waiting_bytes",
            "Prediction log that is not in Postgres yet.",
            pending_bytes(self._directory),
        )
        yield GaugeMetricFamily(
            "mlops_journal_waiting_seconds",
            "Age of the oldest record that is not in Postgres yet.",
            pending_seconds(self._directory),
        )
        yield GaugeMetricFamily(
            "mlops_journal_bytes",
            "Size of the prediction log on disk.",
            total_bytes(self._directory),
        )
