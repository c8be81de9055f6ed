"""What the status strip says."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from web.cache import Reading
from web.client import Readiness
from web.queries import Snapshot
from web.status import Light, lights, rejected_rows

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
REJECTS = pd.DataFrame(
    [("data.csv", 7, "Learning Rate", "not a number", NOW)],
    columns=["file", "line", "column_name", "reason", "last_seen_at"],
)


def snapshot(imported_at: datetime | None = NOW - timedelta(minutes=3), error: str | None = None) -> Snapshot:
    return Snapshot(pd.DataFrame({"experiment": ["a"]}), REJECTS, imported_at, error)


def good(value: object) -> Reading[object]:
    return Reading(value=value, age_seconds=0.0, problem=None)


def texts(found: list[Light]) -> list[str]:
    return [light.text for light in found]


READY = good(Readiness("ready", 26, 0, 0, None))


def test_all_is_well() -> None:
    found = lights(good(snapshot()), READY, NOW)  # type: ignore[arg-type]
    assert texts(found) == ["Database up", "API up · 26 models ready", "Data imported 3 min ago"]


def test_the_absolute_time_of_the_import_is_in_the_detail() -> None:
    assert "2030-01-02 11:57:00 UTC" in lights(good(snapshot()), READY, NOW)[-1].detail  # type: ignore[arg-type]


def test_data_of_a_database_that_is_down_is_marked_with_the_age_of_the_reading() -> None:
    stale = Reading(value=snapshot(), age_seconds=40.0, problem="Postgres does not answer.")
    assert texts(lights(stale, READY, NOW)) == [  # type: ignore[arg-type]
        "Database down",
        "API up · 26 models ready",
        "Data as of 40 s ago",
    ]


def test_a_database_that_never_answered_has_no_age() -> None:
    found = lights(Reading(None, None, "down"), READY, NOW)  # type: ignore[arg-type]
    assert texts(found) == ["Database down", "API up · 26 models ready"]


def test_an_api_that_is_down_says_so_also_when_it_answered_before() -> None:
    gone = Reading(value=Readiness("ready", 26, 0, 0, None), age_seconds=9.0, problem="refused")
    assert lights(good(snapshot()), gone, NOW)[1] == Light("API down", "bad", "refused")  # type: ignore[arg-type]


def test_models_that_load_or_failed_are_counted() -> None:
    loading = good(Readiness("starting", 3, 2, 0, None))
    failed = good(Readiness("ready", 3, 0, 1, None))
    found = [lights(good(snapshot()), each, NOW)[1].text for each in (loading, failed)]  # type: ignore[arg-type]
    assert found == ["API up · 3 models ready, 2 loading", "API up · 3 models ready, 1 failed"]


def test_an_import_that_failed_is_reported() -> None:
    found = lights(good(snapshot(error="column *Loss* is missing")), READY, NOW)  # type: ignore[arg-type]
    assert found[-1] == Light("Last import failed", "bad", r"column \*Loss\* is missing")


def test_a_database_without_an_import_says_so() -> None:
    assert texts(lights(good(snapshot(imported_at=None)), READY, NOW))[-1] == "No data yet"  # type: ignore[arg-type]


def test_a_rejected_row_says_where_and_why() -> None:
    assert rejected_rows(REJECTS).iloc[0].to_dict() == {
        "File": "data.csv",
        "Line": 7,
        "Column": "Learning Rate",
        "Why": "not a number",
    }
