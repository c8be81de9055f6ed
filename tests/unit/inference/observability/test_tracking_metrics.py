"""Metrics of the tracking process, from its status file."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from inference.observability.tracking_metrics import TrackingCollector
from servicekit.tracking_status import STATUS_FILE, TrackingStatus


def test_collector_reads_the_status(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    registry = CollectorRegistry()
    registry.register(TrackingCollector(socket))
    assert registry.get_sample_value("mlops_tracking_points_total") is None
    TrackingStatus(5, 1, 70, 3, 1, time.time()).write(socket)
    assert registry.get_sample_value("mlops_tracking_requests_total") == 5
    assert registry.get_sample_value("mlops_tracking_failures_total") == 1
    assert registry.get_sample_value("mlops_tracking_points_total") == 70
    assert registry.get_sample_value("mlops_tracking_runs", {"state": "active"}) == 2
    assert registry.get_sample_value("mlops_tracking_runs", {"state": "silent"}) == 1


def test_collector_leaves_out_old_runs_and_broken_files(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    registry = CollectorRegistry()
    registry.register(TrackingCollector(socket))
    TrackingStatus(running=3, read_at=time.time() - 100).write(socket)
    assert registry.get_sample_value("mlops_tracking_runs", {"state": "active"}) is None
    (tmp_path / STATUS_FILE).write_text("{")
    assert registry.get_sample_value("mlops_tracking_points_total") is None
