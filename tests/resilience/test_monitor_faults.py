"""The monitor in a running stack: one alert, silence after it is accepted, and a retraining.

`make bench-monitor` runs the long form with MNIST's test digits.
"""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.prediction_log.test_prediction_log import eventually
from tests.support.monitored import draw
from tests.support.monitored_stack import MonitoredStack, png
from tests.support.workers import Workers

LABELS = """
INSERT INTO labels (image_id, task, label, labelled_by)
SELECT id, 'mnist', '1', 'ann' FROM images LIMIT 210
"""
OPEN = "SELECT severity FROM alerts WHERE closed_at IS NULL AND family <> 'labels'"
RUN = "SELECT r.state, t.kind FROM pipeline_runs r JOIN pipeline_triggers t ON t.run_id = r.id"
FROZEN_SECONDS = 5


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredStack]:
    stack = MonitoredStack(tmp_path_factory.mktemp("monitored"))
    with ExitStack() as cleanup:
        cleanup.callback(stack.stop)
        stack.start_database()
        yield stack


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_drift_is_one_alert_until_it_is_accepted(
    monitored: MonitoredStack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Printed digits are a drift for a model of handwritten ones.

    A reference of fewer than 1,000 images is too inexact to be silent.
    """
    monitored.empty()
    digits = [png(pixels) for pixels in draw(1, 1600).pixels]
    monitored.send(digits[:300])
    monitored.settle()
    assert monitored.rows(OPEN)
    monitored.rows(LABELS)
    for seed in range(20):
        if monitored.rows(OPEN) == [("critical",)]:
            break
        monitored.send([png(pixels) for pixels in draw(300 + seed, 50).pixels])
        monitored.settle()
    eventually(lambda: monitored.rows("SELECT task FROM retrain_requests") == [("mnist",)])
    workers = Workers(monitored.database, tmp_path_factory.mktemp("workers"))
    try:
        workers.start()
        workers.wait(lambda: monitored.rows(RUN) == [("SUCCEEDED", "drift")])
    finally:
        workers.stop()
    monitored.rows("SELECT request_reference('mnist', 1000, 'ann')")
    monitored.send(digits[300:1300])
    eventually(lambda: monitored.rows("SELECT state FROM reference_requests") == [("done",)])
    monitored.send(digits[1300:])
    monitored.settle()
    assert monitored.rows(OPEN) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_monitor_changes_no_figure(monitored: MonitoredStack) -> None:
    monitored.empty()
    chance = random.Random(1)
    for seed in range(6):
        monitored.send([png(pixels) for pixels in draw(100 + seed, 100).pixels])
        time.sleep(chance.uniform(0, 1.5))
        monitor = monitored.monitor()
        if monitor is not None:
            monitor.kill()
    monitored.settle()
    disturbed = monitored.alerts(), monitored.states()
    assert disturbed[0]
    monitored.examine_again()
    assert (monitored.alerts(), monitored.states()) == disturbed


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_postgres_fault_only_delays_the_monitor(monitored: MonitoredStack, fault: str) -> None:
    monitored.empty()
    monitored.send([png(pixels) for pixels in draw(200, 50).pixels])
    monitored.settle()
    later = [png(pixels) for pixels in draw(201, 50).pixels]
    if fault == "frozen":
        monitored.freeze_database(FROZEN_SECONDS)
        monitored.send(later)
    else:
        monitored.kill_database()
        monitored.send(later)  # answered without Postgres
        monitored.restore()
    monitored.settle()
    [(images,)] = monitored.rows(
        "SELECT images FROM drift_monitors WHERE family = 'inputs' AND path = 'as_sent'"
    )
    assert images == 100


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_monitor_ends_with_its_service(monitored: MonitoredStack) -> None:
    monitored.empty()
    monitor = monitored.monitor()
    assert monitor is not None
    assert monitor.memory_info().rss < 150 * 2**20
    assert "mlops_monitor_last_check_timestamp_seconds" in monitored.metrics()
    monitored.kill_service(whole_group=False)
    assert monitor.wait(10) is not False
