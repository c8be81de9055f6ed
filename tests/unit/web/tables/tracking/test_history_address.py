"""Addresses of the page History."""

from datetime import UTC, date, datetime

import pytest

from web.data.tracking.history_types import Cursor, HistoryFilter
from web.tables.tracking.history_address import (
    history_url,
    parse_filter,
    read_cursor,
    split_name,
    write_cursor,
)

MOMENT = datetime(2026, 5, 1, 12, 0, 0, 123456, UTC)
CURSOR = Cursor(MOMENT, "00000000-0000-0000-0000-00000000002a")


def test_filters_are_in_the_address() -> None:
    assert history_url(experiment="a@2", only=["Wrong", "Labeled"]) == (
        "history?experiment=a%402&only=Wrong&only=Labeled"
    )


def test_no_value_matches_all() -> None:
    assert parse_filter({}) == HistoryFilter(is_once=True)


def test_each_value_is_a_criterion() -> None:
    found = parse_filter(
        {
            "task": "mnist",
            "experiment": "lenet@2",
            "class": "4",
            "truth": "9",
            "only": ["Wrong", "Warnings"],
            "below": "60",
            "since": date(2026, 5, 1),
            "until": date(2026, 5, 1),
            "program": " curl ",
            "once": False,
        }
    )
    assert found == HistoryFilter(
        task="mnist",
        experiment="lenet",
        version=2,
        label="4",
        true_label="9",
        is_wrong=True,
        has_warning=True,
        below=0.6,
        since=datetime(2026, 5, 1, tzinfo=UTC),
        until=datetime(2026, 5, 2, tzinfo=UTC),
        source="curl",
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [(None, (None, None)), ("a", ("a", None)), ("a@3", ("a", 3)), ("a@x", ("a", None))],
)
def test_name_may_have_a_version(name: str | None, parts: tuple[str | None, int | None]) -> None:
    assert split_name(name) == parts


def test_cursor_survives_the_address() -> None:
    assert read_cursor(write_cursor(CURSOR)) == CURSOR


@pytest.mark.parametrize("text", [None, "", "x", "2026-05-01_x", "x_" + CURSOR.prediction_id])
def test_invalid_cursor_is_none(text: str | None) -> None:
    assert read_cursor(text) is None
