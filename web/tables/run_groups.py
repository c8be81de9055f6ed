"""Table of groups of runs, and the filter that finds the runs of a group."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from web.data.filter_columns import quote
from web.data.leaderboard.columns import is_share
from web.data.leaderboard.groups import STATISTICS
from web.tables.comparison import MISSING

PERCENT = 100.0
# As the symbol of the baseline in a scatter plot
BASELINE_MARK = "\N{BLACK DIAMOND}"


def group_table(groups: pd.DataFrame, by: Sequence[str], result: str) -> pd.DataFrame:
    """Return one row per group: the values as texts, runs, and the statistics of the result.

    If one of them has the pinned baseline, the column baseline marks it.

    Args:
        groups: see groups.read_groups.
        by: columns of the groups.
        result: column of the result. Accuracies are returned in percent.

    """
    factor = PERCENT if is_share(result) else 1.0
    values = {
        f"group_{number}": [_text(value) for value in groups[f"group_{number}"]]
        for number in range(len(by))
    }
    statistics = {name: groups[name] * factor for name in STATISTICS}
    marks = [BASELINE_MARK if has else "" for has in groups["has_baseline"]]
    marked = {"baseline": marks} if any(marks) else {}
    return pd.DataFrame({**marked, **values, "runs": groups["runs"], **statistics})


def group_filter(by: Sequence[str], values: Sequence[Any], outer: str) -> str:
    """Return the filter that finds the runs of a group.

    Args:
        by: columns of the groups.
        values: value of the group in each column, None without one.
        outer: filter that the groups are within, or a blank text.

    """
    parts = [
        f"{quote(column)} is missing"
        if value is None
        else f"{quote(column)} = {quote(_text(value))}"
        for column, value in zip(by, values, strict=True)
    ]
    return " and ".join([f"({outer.strip()})", *parts] if outer.strip() else parts)


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
