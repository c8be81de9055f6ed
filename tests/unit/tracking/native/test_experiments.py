"""Times of runs in answers are RFC 3339 in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tracking.native.experiments import timestamp


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, None),
        (datetime(2026, 1, 31, 12, 0, tzinfo=UTC), "2026-01-31T12:00:00.000000Z"),
        (datetime(479, 9, 20, 3, 43, 32, 7, tzinfo=UTC), "0479-09-20T03:43:32.000007Z"),
        (
            datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
            "2025-12-31T23:00:00.000000Z",
        ),
    ],
)
def test_timestamp_has_four_digits_of_the_year(time: datetime | None, text: str | None) -> None:
    assert timestamp(time) == text
