"""Metrics of the mirror, from the status file that it writes."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.registry.mirror_status import read_status


class MirrorCollector(Collector):
    """Collects `mlops_registry_*`. They are missing before the first poll of the registry."""

    def __init__(self, directory: Path) -> None:
        """`directory` is the model directory."""
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        status = read_status(self._directory)
        if status is None:
            return
        versions = GaugeMetricFamily(
            "mlops_registry_versions",
            "Versions of the model registry by state: mirrored, or refused as they are there.",
            labels=["state"],
        )
        versions.add_metric(["mirrored"], len(status.versions))
        versions.add_metric(["refused"], len(status.refused))
        yield versions
        yield GaugeMetricFamily(
            "mlops_registry_up",
            "1 if the last poll of the model registry succeeded, else 0.",
            float(status.failure is None),
        )
        for name, text, value in (
            ("failed_polls", "Polls of the model registry that failed.", status.failed_polls),
            ("fetched_versions", "Versions fetched from the registry.", status.fetched_versions),
            ("fetched_bytes", "Bytes fetched from the registry.", status.fetched_bytes),
        ):
            yield CounterMetricFamily(f"mlops_registry_{name}", text, value)
        if status.last_success_at is not None:
            yield GaugeMetricFamily(
                "mlops_registry_last_success_timestamp_seconds",
                "Time of the last poll of the model registry that succeeded.",
                status.last_success_at,
            )
