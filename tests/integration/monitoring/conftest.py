"""A monitored task in a database of its own."""

from collections.abc import Iterator

import pytest

from tests.support.monitored import MonitoredTask


@pytest.fixture
def task(service_database: dict[str, str]) -> Iterator[MonitoredTask]:
    """Return a task with a champion, without a reference."""
    task = MonitoredTask(service_database)
    yield task
    task.close()
