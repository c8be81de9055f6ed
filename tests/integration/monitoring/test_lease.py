"""One monitor at a time examines the predictions: the one whose token is in monitor_lease."""

import pytest

from monitoring.service import Monitor
from monitoring.storage.connection import Database, LeaseLostError
from tests.support.monitored import MonitoredTask, draw


def test_second_monitor_waits_for_the_lease(task: MonitoredTask) -> None:
    task.add_reference()
    task.look()
    other = Database()
    task.rows("UPDATE monitor_lease SET host = 'elsewhere'")
    assert not other.take_lease()
    task.rows("UPDATE monitor_lease SET seen_at = now() - interval '11 seconds'")
    assert other.take_lease()
    with pytest.raises(LeaseLostError), task.database.transaction():
        pass
    task.send(draw(2, 20))
    task.look()
    assert task.rows("SELECT max(images) FROM drift_monitors") == [(0,)]
    other.close()


def test_lease_of_a_dead_process_is_free_at_once(task: MonitoredTask) -> None:
    task.look()
    other = Database()
    assert other.take_lease()  # the pid is that of this process, so of an earlier one
    other.close()


def test_released_lease_is_free_at_once(task: MonitoredTask) -> None:
    task.look()
    task.rows("UPDATE monitor_lease SET host = 'elsewhere'")
    task.database.release_lease()
    other = Database()
    assert other.take_lease()
    other.close()


def test_monitor_without_the_lease_reports_the_holder(task: MonitoredTask) -> None:
    task.look()
    task.rows("UPDATE monitor_lease SET host = 'elsewhere', seen_at = now()")
    database = Database()
    collector = type(task.collector)()
    Monitor(task.settings, database, collector).look()
    assert collector.checked_at is not None
    database.close()
