import tomllib
from datetime import date
from pathlib import Path

import pytest

from data_export.export import PRODUCT_VERSION, Days

FIRST, SECOND = date(2026, 11, 29), date(2026, 11, 30)
LAST = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Days(), [29, 30, 1]),
        (Days(since=SECOND), [30, 1]),
        (Days(until=SECOND), [29, 30]),
        (Days(SECOND, SECOND), [30]),
        (Days(since=date(2027, 1, 1)), []),
        (Days(until=date(2026, 1, 1)), []),
        (Days(date(2020, 1, 1), date(2030, 1, 1)), [29, 30, 1]),
    ],
)
def test_days_are_within_the_limits(limits: Days, expected: list[int]) -> None:
    assert [day.day for day in limits.of(FIRST, LAST)] == expected


def test_product_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["version"] == PRODUCT_VERSION
