"""Background metrics: those of the shipper and the pipeline, as far as they are known."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from inference.observability.background_metrics import MAX_AGE_SECONDS, BackgroundCollector
from inference.observability.background_status import BackgroundStatus, PipelineState


def scrape(directory: Path) -> str:
    registry = CollectorRegistry()
    registry.register(BackgroundCollector(directory))
    return generate_latest(registry).decode()


def write(directory: Path, read_at: float, last_success_at: float | None = 1000.0) -> None:
    runs = {"QUEUED": 2, "RUNNING": 0}
    state = PipelineState(runs, 7.5, 1, last_success_at, read_at)
    status = BackgroundStatus(directory, pipeline=state)
    status.count_shipped(3, 400)
    status.end_round(is_failing=False)


def test_counts_of_the_shipper_and_state_of_the_pipeline(tmp_path: Path) -> None:
    write(tmp_path, time.time())
    text = scrape(tmp_path)
    for line in (
        "mlops_shipper_records_total 3.0",
        "mlops_shipper_bytes_total 400.0",
        "mlops_shipper_errors_total 0.0",
        "mlops_shipper_postponed_records_total 0.0",
        "mlops_shipper_quarantined_records_total 0.0",
        'mlops_pipeline_runs{state="QUEUED"} 2.0',
        "mlops_pipeline_queued_seconds 7.5",
        "mlops_pipeline_workers 1.0",
        "mlops_pipeline_last_success_timestamp_seconds 1000.0",
    ):
        assert line in text
    assert "mlops_shipper_last_success_timestamp_seconds" in text


def test_old_state_of_the_pipeline_is_missing(tmp_path: Path) -> None:
    """Postgres does not answer: the numbers of a minute ago may be wrong."""
    write(tmp_path, time.time() - MAX_AGE_SECONDS - 1)
    text = scrape(tmp_path)
    assert "mlops_shipper_records_total 3.0" in text
    assert "mlops_pipeline" not in text


def test_pipeline_without_a_success_has_no_time_of_it(tmp_path: Path) -> None:
    write(tmp_path, time.time(), None)
    assert "mlops_pipeline_last_success_timestamp_seconds" not in scrape(tmp_path)


def test_without_a_status_there_are_no_metrics(tmp_path: Path) -> None:
    assert scrape(tmp_path).strip() == ""
