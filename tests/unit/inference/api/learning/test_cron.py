"""Cron expressions: what they match, and which are refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from inference.api.learning import cron
from inference.errors import InvalidValueError

NOW = datetime(2026, 11, 27, 8, 30, 59, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", "2026-11-27 08:31"),
        ("*/15 * * * *", "2026-11-27 08:45"),
        ("30 8 * * *", "2026-11-28 08:30"),
        ("0 3 * * 1", "2026-11-30 03:00"),
        ("0 3 * * 0", "2026-11-29 03:00"),
        ("0 3 * * 7", "2026-11-29 03:00"),
        ("0 3 * * 1-5", "2026-11-30 03:00"),
        ("0 3 1 * *", "2026-12-01 03:00"),
        ("5,45 8-9 * * *", "2026-11-27 08:45"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("0 0 31 * *", "2026-12-31 00:00"),
        ("0 0 13 * 6", "2026-11-28 00:00"),  # one of both fields of days is enough
        ("0 0 */2 * 6", "2026-12-05 00:00"),  # a field that begins with * restricts the other
        ("0 0 31 2 5", "2027-02-05 00:00"),
        ("10/20 23 * * *", "2026-11-27 23:10"),
        ("0 12-20/4 * 1,7 *", "2027-01-01 12:00"),
    ],
)
def test_next_is_the_first_matching_minute(expression: str, expected: str) -> None:
    following = cron.parse(expression).next(NOW)
    assert following is not None
    assert f"{following:%Y-%m-%d %H:%M}" == expected


def test_next_of_a_time_of_another_zone_is_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert cron.parse("0 9 * * *").next(there) == datetime(2026, 11, 27, 9, tzinfo=UTC)


def test_next_after_the_leap_day_is_years_away() -> None:
    leap = cron.parse("0 0 29 2 *")
    assert leap.next(datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *",
        "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "a * * * *", "* * * * mon",
        "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "-1 * * * *", "1- * * * *", "*/* * * * *",
        "0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *", "\u0661 * * * *", "*" * 200, "1.5 * * * *",
    ],
)  # fmt: skip
def test_bad_expression_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(InvalidValueError, match=r"0 3 \* \* 1") as raised:
        cron.parse(expression)
    assert (raised.value.path, len(raised.value.detail) < 300) == ("cron", True)
