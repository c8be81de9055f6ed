"""Metrics of the mirror."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from inference.registry.metrics import MirrorCollector
from inference.registry.mirror_status import MirrorStatus, StatusWriter


def text_of(folder: Path) -> str:
    registry = CollectorRegistry()
    registry.register(MirrorCollector(folder))
    return generate_latest(registry).decode()


def test_metrics_before_the_first_poll_are_missing(tmp_path: Path) -> None:
    assert text_of(tmp_path) == ""


def test_metrics_count_versions_bytes_and_failures(tmp_path: Path) -> None:
    status = MirrorStatus(
        "s3://bucket", versions=["a@1", "a@2"], refused={"b@1": "Truncated."}, failure="Away.",
        failed_polls=3, fetched_versions=2, fetched_bytes=100, last_success_at=5.0,
    )  # fmt: skip
    StatusWriter(tmp_path).write(status)
    text = text_of(tmp_path)
    for line in (
        'mlops_registry_versions{state="mirrored"} 2.0',
        'mlops_registry_versions{state="refused"} 1.0',
        "mlops_registry_up 0.0",
        "mlops_registry_failed_polls_total 3.0",
        "mlops_registry_fetched_versions_total 2.0",
        "mlops_registry_fetched_bytes_total 100.0",
        "mlops_registry_last_success_timestamp_seconds 5.0",
    ):
        assert line in text.splitlines()
