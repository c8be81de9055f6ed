"""Cron expressions: five fields in UTC, as schedules of retraining use them.

A field is `*` or numbers, ranges `a-b` and lists `a,b`; `*` and a range may have a step `/n`. As in
cron, a day matches either field of days if both are restricted.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from inference.errors import InvalidValueError

FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),  # 0 and 7 are Sunday
)
ITEM = re.compile(r"(\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/([0-9]{1,2}))?")
MAX_LENGTH = 100
MAX_DAYS = 9 * 366  # 29 February may be eight years away
EXAMPLE = "Send five fields in UTC, such as 0 3 * * 1: each Monday at 03:00."


@dataclass(frozen=True)
class Cron:
    """A parsed expression: the numbers that each field matches."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    is_either_day: bool  # both fields of days are restricted

    def next(self, after: datetime) -> datetime | None:
        """Return the first matching minute later than a time of UTC, None if there is none."""
        first = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for offset in range(MAX_DAYS):
            day = first.date() + timedelta(days=offset)
            if self._matches(day):
                for moment in self._moments(day):
                    if moment >= first:
                        return moment
        return None

    def _matches(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return by_month or by_week if self.is_either_day else by_month and by_week

    def _moments(self, day: date) -> Iterator[datetime]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def parse(expression: str) -> Cron:
    """Parse an expression. Raises InvalidValueError if it is invalid or matches no day."""
    texts = expression.split()
    if len(texts) != len(FIELDS) or len(expression) > MAX_LENGTH:
        raise InvalidValueError(f"cron does not have five fields. {EXAMPLE}", "cron")
    minutes, hours, days, months, weekdays = (
        _field(text, *field) for text, field in zip(texts, FIELDS, strict=True)
    )
    is_either_day = not texts[2].startswith("*") and not texts[4].startswith("*")
    longest = max(calendar.monthrange(2024, month)[1] for month in months)
    if min(days) > longest and not is_either_day:
        raise InvalidValueError(
            f"cron never matches: no such month has {min(days)} days. {EXAMPLE}", "cron"
        )
    weekdays = frozenset(number % 7 for number in weekdays)
    return Cron(minutes, hours, days, months, weekdays, is_either_day)


def _field(text: str, name: str, lowest: int, highest: int) -> frozenset[int]:
    numbers: set[int] = set()
    for item in text.split(","):
        matched = ITEM.fullmatch(item)
        if matched is None or (matched[2] and not int(matched[2])):
            raise _invalid(name, lowest, highest)
        first, _, last = matched[1].partition("-")
        if first == "*":
            start, stop = lowest, highest
        else:
            start = int(first)
            stop = int(last) if last else highest if matched[2] else start
        if not lowest <= start <= stop <= highest:
            raise _invalid(name, lowest, highest)
        numbers.update(range(start, stop + 1, int(matched[2] or 1)))
    return frozenset(numbers)


def _invalid(name: str, lowest: int, highest: int) -> InvalidValueError:
    return InvalidValueError(
        f"The field {name} of cron must be *, or numbers from {lowest} to {highest},"
        f" with - , and /. {EXAMPLE}",
        "cron",
    )
