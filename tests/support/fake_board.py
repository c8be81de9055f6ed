"""Fake reads of the leaderboard."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from web.data.leaderboard.changes import Revision
from web.data.leaderboard.columns import extra_column
from web.data.leaderboard.groups import GroupQuery
from web.data.leaderboard_queries import LeaderboardQuery
from web.data.stale_cache import CachedResult


class FakeBoard:
    """Fake LeaderboardReader. rows: returns the experiments of a query."""

    def __init__(self, rows: Callable[[LeaderboardQuery], pd.DataFrame]) -> None:
        self._rows = rows
        self.state = Revision(newest=4, running=0, silent=0, period=0)
        self.later: Revision | None = None  # state from the second read of a run on
        self.expired = 0
        self.grouped: list[GroupQuery] = []

    def revision(self) -> CachedResult[Revision]:
        state = self.state
        if self.later is not None:
            self.state = self.later
        return CachedResult(state, 0.0, None)

    def groups(self, query: GroupQuery, _keys: Sequence[str]) -> CachedResult[pd.DataFrame]:
        self.grouped.append(query)
        return CachedResult(
            pd.DataFrame(
                {
                    **{f"group_{number}": ["lenet", None] for number in range(len(query.by))},
                    "runs": [3, 1],
                    "results": [3, 1],
                    "mean": [0.98, 0.9],
                    "deviation": [0.01, None],
                    "lowest": [0.97, 0.9],
                    "highest": [0.99, 0.9],
                    "has_baseline": [False, query.baseline == "bare"],
                    "names": [["ready_1", "ready_2"], ["bare"]],
                }
            ),
            0.0,
            None,
        )

    def points(
        self, query: LeaderboardQuery, columns: Sequence[str], _keys: Sequence[str], limit: int
    ) -> CachedResult[pd.DataFrame]:
        rows = self._rows(query).head(limit)
        found = {column: extra_or_built_in(rows, column) for column in columns}
        return CachedResult(rows[["experiment", "task"]].assign(**found), 0.0, None)

    def expire(self) -> None:
        self.expired += 1


def extra_or_built_in(rows: pd.DataFrame, column: str) -> "pd.Series[Any]":
    return rows[column] if column in rows else extra_column(rows, column)
