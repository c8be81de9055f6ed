"""Metrics of the prediction log: its backlog and size, over all worker processes."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.prediction_log.journal import Journal


class JournalCollector(Collector):
    """Measures the journal, when asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges mlops_journal_*."""
        waiting_bytes, waiting_seconds = self._journal.pending()
        yield GaugeMetricFamily(
            "mlops_journal_waiting_bytes",
            "Bytes of the journal that are not yet in Postgres.",
            waiting_bytes,
        )
        yield GaugeMetricFamily(
            "mlops_journal_waiting_seconds",
            "Age of the oldest journal record that is not yet in Postgres.",
            waiting_seconds,
        )
        yield GaugeMetricFamily(
            "mlops_journal_bytes", "Size of the journal's files.", self._journal.total()
        )
