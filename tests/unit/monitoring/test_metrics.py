"""Metrics of the monitor: names, series from the start, and a port that is taken."""

import logging
import socket
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from monitoring.metrics import Accuracy, Counts, MonitorCollector, Snapshot, serve
from monitoring.settings import from_environment
from monitoring.storage.snapshots import wilson

LABELS = ("mnist", "lenet5", "1")


def text(collector: MonitorCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_series_have_the_documented_names() -> None:
    collector = MonitorCollector()
    collector.snapshot = Snapshot(
        {(*LABELS, "inputs", "warning"): 1},
        {(*LABELS, "inputs"): 7.5},
        {LABELS: Accuracy(test=0.99)},
    )
    collector.counts["mnist"] = Counts(examined=3, skipped=2, warned=1)
    collector.checked_at = 5.0
    lines = text(collector)
    version = 'experiment_name="lenet5",task="mnist",version="1"'
    drift = 'experiment_name="lenet5",family="inputs"'
    for line in (
        f'mlops_drift_open{{{drift},severity="warning",task="mnist",version="1"}} 1.0',
        f'mlops_drift_evidence{{{drift},task="mnist",version="1"}} 7.5',
        f"mlops_test_accuracy{{{version}}} 0.99",
        f"mlops_live_accuracy_upper{{{version}}} NaN",
        'mlops_monitor_examined_images_total{task="mnist"} 3.0',
        'mlops_monitor_skipped_images_total{task="mnist"} 2.0',
        "mlops_monitor_last_check_timestamp_seconds 5.0",
    ):
        assert line in lines.splitlines()


def test_monitor_that_never_checked_has_no_time() -> None:
    assert "\nmlops_monitor_last_check" not in text(MonitorCollector())


def test_taken_port_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, caplog.at_level(logging.INFO):
        port = taken.getsockname()[1]
        serve(MonitorCollector(), from_environment({"MONITOR_METRICS_PORT": str(port)}))
    assert "not served" in caplog.text


def test_wilson_interval_contains_the_share() -> None:
    lower, upper = wilson(90, 100)
    assert (round(lower, 3), round(upper, 3)) == (0.826, 0.945)
    assert wilson(1, 1)[1] == pytest.approx(1.0)
