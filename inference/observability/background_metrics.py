"""Metrics of the background process and the pipeline, from the status file of the former."""

import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.observability.background_status import (
    BackgroundStatus,
    PipelineState,
    read_status,
)

MAX_AGE_SECONDS = 60.0  # of the pipeline's state; an older one is missing rather than wrong


class BackgroundCollector(Collector):
    """Collects `mlops_shipper_*` and `mlops_pipeline_*`. Those that are not known are missing."""

    def __init__(self, directory: Path) -> None:
        """`directory` is that of the journal."""
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        status = read_status(self._directory)
        if status is not None:
            yield from _shipper(status)
            if status.pipeline and time.time() - status.pipeline.read_at <= MAX_AGE_SECONDS:
                yield from _pipeline(status.pipeline)


def _shipper(status: BackgroundStatus) -> Iterable[Metric]:
    counts = status.shipper
    for name, text, value in (
        ("records", "Records of the prediction log written to Postgres.", counts.records),
        ("bytes", "Prediction log written to Postgres.", counts.bytes),
        (
            "postponed_records",
            "Records put aside because Postgres did not write them in time.",
            counts.postponed,
        ),
        (
            "quarantined_records",
            "Records in refused.log, because Postgres rejects them.",
            counts.quarantined,
        ),
        (
            "errors",
            "Rounds that failed: Postgres or the journal could not be used.",
            counts.failed_rounds,
        ),
    ):
        yield CounterMetricFamily(f"mlops_shipper_{name}", text, value)
    if status.last_success_at is not None:
        yield GaugeMetricFamily(
            "mlops_shipper_last_success_timestamp_seconds",
            "Time of the shipper's last round without an error.",
            status.last_success_at,
        )


def _pipeline(state: PipelineState) -> Iterable[Metric]:
    runs = GaugeMetricFamily(
        "mlops_pipeline_runs", "Runs of the learning loop by state.", labels=["state"]
    )
    for name, count in state.runs.items():
        runs.add_metric([name], count)
    yield runs
    yield GaugeMetricFamily(
        "mlops_pipeline_queued_seconds", "Age of the oldest run that waits.", state.queued_seconds
    )
    yield GaugeMetricFamily("mlops_pipeline_workers", "Live workers.", state.workers)
    if state.last_success_at is not None:
        yield GaugeMetricFamily(
            "mlops_pipeline_last_success_timestamp_seconds",
            "End of the last run that succeeded.",
            state.last_success_at,
        )
