"""Status strip."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from web.components.status_strip import (
    StatusBadge,
    Tone,
    count_rejected,
    rejected_label,
    rejected_table,
    status_badges,
)
from web.data.api_types import Readiness, Registry
from web.data.monitoring.replicas import Served
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


def good(value: Any) -> CachedResult[Any]:
    return CachedResult(value=value, age_seconds=0.0, problem=None)


def texts(found: list[StatusBadge]) -> list[str]:
    return [badge.text for badge in found]


READY = good(Readiness("ready", 26, 0, 0, None))


def test_badges_when_everything_is_up() -> None:
    found = status_badges(good(snapshot()), READY, NOW)
    assert texts(found) == ["Database up", "API up · 26 models ready", "Data imported 3 min ago"]


def test_badge_detail_has_the_import_time() -> None:
    assert "2030-01-02 11:57:00 UTC" in status_badges(good(snapshot()), READY, NOW)[-1].detail


def test_stale_data_has_its_age() -> None:
    stale = CachedResult(value=snapshot(), age_seconds=40.0, problem="Postgres does not respond.")
    assert texts(status_badges(stale, READY, NOW)) == [
        "Database down",
        "API up · 26 models ready",
        "Data as of 40 s ago",
    ]


def test_database_that_was_never_up_has_no_age() -> None:
    found = status_badges(CachedResult(None, None, "down"), READY, NOW)
    assert texts(found) == ["Database down", "API up · 26 models ready"]


def test_api_down_is_reported_despite_a_cached_value() -> None:
    gone = CachedResult(
        value=Readiness("ready", 26, 0, 0, None), age_seconds=9.0, problem="refused"
    )
    assert status_badges(good(snapshot()), gone, NOW)[1] == StatusBadge(
        "API down", "bad", "refused"
    )


def test_loading_and_failed_models_are_counted() -> None:
    loading = good(Readiness("starting", 3, 2, 0, None))
    failed = good(Readiness("ready", 3, 0, 1, None))
    found = [status_badges(good(snapshot()), state, NOW)[1].text for state in (loading, failed)]
    assert found == ["API up · 3 models ready, 2 loading", "API up · 3 models ready, 1 failed"]


def test_faults_of_log_and_keys_are_reported() -> None:
    state = Readiness(
        "degraded", 3, 0, 0, None, "waiting", "It has waited 90 s.", "Line 2 *is* bad"
    )
    found = status_badges(good(snapshot()), good(state), NOW)
    assert found[2:4] == [
        StatusBadge("Prediction log waiting", "busy", r"It has waited 90 s\."),
        StatusBadge("API keys file invalid", "bad", r"Line 2 \*is\* bad"),
    ]


@pytest.mark.parametrize(("fault", "reason"), [("full", "JOURNAL_BYTES"), ("failing", "written")])
def test_log_that_is_full_or_failing_is_bad(fault: str, reason: str) -> None:
    state = Readiness("degraded", 3, 0, 0, None, fault)
    badge = status_badges(good(snapshot()), good(state), NOW)[2]
    assert (badge.text, badge.tone) == (f"Prediction log {fault}", "bad")
    assert reason in badge.detail


@pytest.mark.parametrize(
    ("status", "text", "tone"),
    [
        ("ok", "in sync", "good"),
        ("starting", "not mirrored yet", "busy"),
        ("partial", "2 refused", "busy"),
        ("failing", "away", "busy"),
    ],
)
def test_registry_has_a_badge(status: str, text: str, tone: Tone) -> None:
    state = Readiness("degraded", 3, 0, 0, None, registry=Registry(status, "Why.", 4, 2))
    badge = status_badges(good(snapshot()), good(state), NOW)[2]
    detail = r"4 versions of it can answer\. Why\."
    assert badge == StatusBadge(f"Registry · {text}", tone, detail)


def test_faults_of_an_api_that_is_down_are_not_reported() -> None:
    state = Readiness("degraded", 3, 0, 0, None, "waiting", None, "bad")
    gone = CachedResult(value=state, age_seconds=9.0, problem="refused")
    assert texts(status_badges(good(snapshot()), gone, NOW))[1:] == [
        "API down",
        "Data imported 3 min ago",
    ]


def test_failed_import_is_reported() -> None:
    files = (
        ImportedFile("data.csv", 0, None),
        ImportedFile("more.csv", 0, "column *Loss* is missing"),
    )
    found = status_badges(good(snapshot(files=files)), READY, NOW)
    assert found[-1] == StatusBadge(
        r"Import of more\.csv failed", "bad", r"column \*Loss\* is missing"
    )


def test_failed_imports_are_counted_and_explained() -> None:
    files = (
        ImportedFile("a", 0, "a is empty"),
        ImportedFile("b", 0, "b is gone"),
        ImportedFile("c", 0, None),
    )
    found = status_badges(good(snapshot(files=files)), READY, NOW)
    assert found[-1] == StatusBadge("Import of 2 files failed", "bad", "a is empty\n\nb is gone")


def test_rejected_rows_are_counted_by_file() -> None:
    files = (
        ImportedFile("more.csv", 12_000, None),
        ImportedFile("data.csv", 0, "is empty"),
        ImportedFile("good.csv", 0, None),
    )
    counts = count_rejected(snapshot(files=files))
    assert counts == {"more.csv": 12_000, "data.csv": 1}
    assert (rejected_label(counts), rejected_label({"data.csv": 1})) == (
        "12,001 rows rejected in 2 files",
        "1 row rejected",
    )


def test_database_without_import_has_no_data() -> None:
    assert texts(status_badges(good(snapshot(imported_at=None)), READY, NOW))[-1] == "No data yet"


def test_rejected_row_has_place_and_reason() -> None:
    assert rejected_table(REJECTS).iloc[0].to_dict() == {
        "File": "data.csv",
        "Line": 7,
        "Column": "Learning Rate",
        "Reason": "not a number",
    }


def test_api_that_drains_is_neither_down_nor_without_models() -> None:
    badge = status_badges(good(snapshot()), good(Readiness("draining", 0, 0, 0, None)), NOW)[1]
    assert (badge.text, badge.tone) == ("API stopping", "busy")


SERVED = {("a", 7, "x"): 4, ("b", 1, "y"): 4, ("broken", 1, None): 0}


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        (Served(1, {("a", 7, "x"): 1}), []),
        (Served(4, SERVED), ["4 replicas"]),
        (Served(4, {**SERVED, ("a", 7, "x"): 3}), ["3 of 4 replicas serve a v7"]),
        (Served(4, {**SERVED, ("a", 7, "x"): 3, ("b", 1, "y"): 1}), ["4 replicas differ"]),
    ],
)
def test_replicas_are_named_if_there_are_several(served: Served, expected: list[str]) -> None:
    badges = status_badges(good(replace(snapshot(), served=served)), READY, NOW)
    assert texts(badges)[2:-1] == expected


def test_detail_of_differing_replicas_is_bounded() -> None:
    served = Served(2, {(f"m_{number}", 1, "x"): 1 for number in range(12)})
    badge = status_badges(good(replace(snapshot(), served=served)), READY, NOW)[2]
    lines = badge.detail.split("\n\n")
    assert lines[0] == r"1 of 2 replicas serve m\_0 v1."
    assert (len(lines), lines[-1]) == (11, "2 more differ.")
