"""Events and originals expire by the date and by the time that the service has run."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from inference.database.connection import connect
from tests.support.prediction_log import LogHarness, make_image

MONTH = "prediction_events_2020_01"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def harness(service_database: dict[str, str], tmp_path: Path) -> Iterator[LogHarness]:
    harness = LogHarness(tmp_path, service_database)
    harness.predict([1])
    harness.shipper.ship()
    yield harness
    harness.disconnect()


def add_old_event(harness: LogHarness, at: str = "2020-01-15") -> None:
    harness.query(f"SELECT make_events_partition('{at}')")
    harness.query(
        "INSERT INTO prediction_events"
        f" SELECT gen_random_uuid(), '{at}', id, 1, false, 'r' FROM predictions LIMIT 1"
    )
    time.sleep(1.1)  # statistics of a session are visible a second later


def set_retention(harness: LogHarness, days: float) -> None:
    harness.query(f"UPDATE retention SET events_keep_days = {days}")


def run_service(harness: LogHarness, days: float) -> None:
    harness.query(f"UPDATE retention SET seconds = seconds + {days} * 86400")


def expire(clock: str = "2100-01-01") -> list[str]:
    """Expire events as the service, whose clock is ahead by default."""
    connection = connect("test")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT expire_events(%s)", [clock])
            return [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()


@pytest.mark.slow
def test_events_are_kept_by_default(harness: LogHarness) -> None:
    add_old_event(harness)
    run_service(harness, 10_000)
    assert expire() == []


def test_events_expire_after_days_of_service(harness: LogHarness) -> None:
    add_old_event(harness)
    set_retention(harness, 30)
    assert expire() == []  # old by the date, and never seen before
    run_service(harness, 29)
    assert expire() == []
    run_service(harness, 2)
    assert expire(clock="2020-02-15") == []  # not by the clock of the service
    assert expire() == [MONTH]
    assert harness.query(f"SELECT to_regclass('{MONTH}')") == [(None,)]
    assert harness.query("SELECT count(*)::int FROM prediction_events") == [(2,)]


@pytest.mark.slow
def test_new_event_of_an_old_month_delays_its_end(harness: LogHarness) -> None:
    """A clock that was set back writes events of today into an old month."""
    add_old_event(harness)
    set_retention(harness, 30)
    expire()
    run_service(harness, 31)
    add_old_event(harness)
    assert expire() == []
    run_service(harness, 31)
    assert expire() == [MONTH]


@pytest.mark.slow
def test_current_month_survives_a_clock_that_is_ahead(harness: LogHarness) -> None:
    """As if the date were 50 years later: the months of today are then old."""
    add_old_event(harness)
    set_retention(harness, 30)
    for _ in range(10):
        assert expire() == []


@pytest.mark.usefixtures("harness")
def test_app_cannot_choose_the_retention_time() -> None:
    connection = connect("test")
    for statement in (
        "UPDATE retention SET events_keep_days = 1",
        "UPDATE retention SET seconds = 1e9",
        "SELECT drop_events_before(now())",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            connection.cursor().execute(statement)
        connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("SELECT advance_retention(1e9)")
        assert cursor.fetchone() == (600.0,)
        cursor.execute("SELECT advance_retention(-1e9)")
        assert cursor.fetchone() == (600.0,)
    connection.close()


def test_original_survives_a_clock_that_is_ahead(harness: LogHarness) -> None:
    harness.predict_images([make_image(2, PNG)])
    harness.ship_and_archive()
    # The date of Postgres jumps: the same as an original that was stored earlier by the date.
    harness.query("UPDATE images SET stored_at = stored_at - interval '10 years'")
    assert harness.archiver.expire() == 0
    run_service(harness, 29.9)
    assert harness.archiver.expire() == 0
    run_service(harness, 0.2)
    assert harness.archiver.expire() == 1


def test_original_stored_by_a_clock_that_was_behind_is_kept(harness: LogHarness) -> None:
    run_service(harness, 1000)
    harness.predict_images([make_image(2, PNG)])
    harness.ship_and_archive()
    harness.query("UPDATE images SET stored_at = '2001-01-01' WHERE stored_at IS NOT NULL")
    assert harness.archiver.expire() == 0
    assert len(harness.stored_names()) == 1


def test_original_survives_the_date_alone_and_the_service_alone(harness: LogHarness) -> None:
    harness.predict_images([make_image(2, PNG)])
    harness.ship_and_archive()
    run_service(harness, 31)
    assert harness.archiver.expire() == 0  # its date is not old enough
    harness.expire_all()
    assert harness.stored_names() == []
