"""What the status strip says."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from web.components.status_strip import (
    StatusBadge,
    lights,
    rejected_counts,
    rejected_label,
    rejected_rows,
)
from web.data.api_client import Readiness
from web.data.queries import ImportedFile, Snapshot
from web.data.stale_cache import CachedResult

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
REJECTS = pd.DataFrame(
    [("data.csv", 7, "Learning Rate", "not a number", NOW)],
    columns=["file", "line", "column_name", "reason", "last_seen_at"],
)


def snapshot(
    imported_at: datetime | None = NOW - timedelta(minutes=3), files: tuple[ImportedFile, ...] = ()
) -> Snapshot:
    return Snapshot(pd.DataFrame({"experiment": ["a"]}), REJECTS, imported_at, files)


def good(value: object) -> CachedResult[object]:
    return CachedResult(value=value, age_seconds=0.0, problem=None)


def texts(found: list[StatusBadge]) -> list[str]:
    return [light.text for light in found]


READY = good(Readiness("ready", 26, 0, 0, None))


def test_all_is_well() -> None:
    found = lights(good(snapshot()), READY, NOW)  # type: ignore[arg-type]
    assert texts(found) == ["Database up", "API up · 26 models ready", "Data imported 3 min ago"]


def test_the_absolute_time_of_the_import_is_in_the_detail() -> None:
    assert "2030-01-02 11:57:00 UTC" in lights(good(snapshot()), READY, NOW)[-1].detail  # type: ignore[arg-type]


def test_data_of_a_database_that_is_down_is_marked_with_the_age_of_the_reading() -> None:
    stale = CachedResult(value=snapshot(), age_seconds=40.0, problem="Postgres does not answer.")
    assert texts(lights(stale, READY, NOW)) == [  # type: ignore[arg-type]
        "Database down",
        "API up · 26 models ready",
        "Data as of 40 s ago",
    ]


def test_a_database_that_never_answered_has_no_age() -> None:
    found = lights(CachedResult(None, None, "down"), READY, NOW)  # type: ignore[arg-type]
    assert texts(found) == ["Database down", "API up · 26 models ready"]


def test_an_api_that_is_down_says_so_also_when_it_answered_before() -> None:
    gone = CachedResult(
        value=Readiness("ready", 26, 0, 0, None), age_seconds=9.0, problem="refused"
    )
    assert lights(good(snapshot()), gone, NOW)[1] == StatusBadge("API down", "bad", "refused")  # type: ignore[arg-type]


def test_models_that_load_or_failed_are_counted() -> None:
    loading = good(Readiness("starting", 3, 2, 0, None))
    failed = good(Readiness("ready", 3, 0, 1, None))
    found = [lights(good(snapshot()), each, NOW)[1].text for each in (loading, failed)]  # type: ignore[arg-type]
    assert found == ["API up · 3 models ready, 2 loading", "API up · 3 models ready, 1 failed"]


def test_an_import_that_failed_is_reported() -> None:
    files = (
        ImportedFile("data.csv", 0, None),
        ImportedFile("more.csv", 0, "column *Loss* is missing"),
    )
    found = lights(good(snapshot(files=files)), READY, NOW)  # type: ignore[arg-type]
    assert found[-1] == StatusBadge(
        r"Import of more\.csv failed", "bad", r"column \*Loss\* is missing"
    )


def test_imports_that_failed_are_counted_and_each_is_explained() -> None:
    files = (
        ImportedFile("a", 0, "a is empty"),
        ImportedFile("b", 0, "b is gone"),
        ImportedFile("c", 0, None),
    )
    found = lights(good(snapshot(files=files)), READY, NOW)  # type: ignore[arg-type]
    assert found[-1] == StatusBadge("Import of 2 files failed", "bad", "a is empty\n\nb is gone")


def test_rejected_rows_are_counted_by_file_also_those_of_which_no_text_is_kept() -> None:
    files = (
        ImportedFile("more.csv", 12_000, None),
        ImportedFile("data.csv", 0, "is empty"),
        ImportedFile("good.csv", 0, None),
    )
    counts = rejected_counts(snapshot(files=files))
    assert counts == {"more.csv": 12_000, "data.csv": 1}
    assert (rejected_label(counts), rejected_label({"data.csv": 1})) == (
        "12,001 rows rejected in 2 files",
        "1 row rejected",
    )


def test_a_database_without_an_import_says_so() -> None:
    assert texts(lights(good(snapshot(imported_at=None)), READY, NOW))[-1] == "No data yet"  # type: ignore[arg-type]


def test_a_rejected_row_says_where_and_why() -> None:
    assert rejected_rows(REJECTS).iloc[0].to_dict() == {
        "File": "data.csv",
        "Line": 7,
        "Column": "Learning Rate",
        "Why": "not a number",
    }
