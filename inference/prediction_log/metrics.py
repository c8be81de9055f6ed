"""Journal metrics: state, size and age of the backlog of all processes, measured on collection."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.prediction_log.log_status import STATES, LogStatus
from inference.prediction_log.segments import total_bytes


class JournalCollector(Collector):
    """Collects the gauges `mlops_journal_*`. Those of an unreadable journal are missing."""

    def __init__(self, directory: Path, status: LogStatus) -> None:
        self._directory = directory
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        status = self._status.document()
        state = GaugeMetricFamily(
            "mlops_journal_state",
            "State of the prediction log, as in /readyz: 1 for the current one, 0 for the others.",
            labels=["state"],
        )
        for name in STATES:
            state.add_metric([name], float(status["status"] == name))
        yield state
        if "waiting_bytes" in status:
            yield GaugeMetricFamily(
                "mlops_journal_waiting_bytes",
                "Prediction log that is not in Postgres yet.",
                status["waiting_bytes"],
            )
            yield GaugeMetricFamily(
                "mlops_journal_waiting_seconds",
                "Age of the oldest record that is not in Postgres yet.",
                status["waiting_seconds"],
            )
        with contextlib.suppress(OSError):
            yield GaugeMetricFamily(
                "mlops_journal_bytes",
                "Size of the prediction log on disk.",
                total_bytes(self._directory),
            )
