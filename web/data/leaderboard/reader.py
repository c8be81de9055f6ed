"""Reads of the leaderboard that only its page needs, behind caches."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
from sqlalchemy import Engine

from web.data.leaderboard.changes import Revision, read_revision
from web.data.leaderboard.groups import GroupQuery, read_groups
from web.data.leaderboard.points import read_points
from web.data.leaderboard_queries import LeaderboardQuery
from web.data.stale_cache import CachedResult, StaleCache


class LeaderboardReader:
    """Cached reads. A method that returns a CachedResult never raises; the result has the problem.

    Args:
        engine: the database.
        live_cache: cache of about a second, so that all viewers share one read.
        cache: cache of the pages.
        describe: turns an error into a problem in Markdown.

    """

    def __init__(
        self,
        engine: Engine,
        live_cache: StaleCache,
        cache: StaleCache,
        describe: Callable[[Exception], str],
    ) -> None:
        self._engine = engine
        self._live_cache = live_cache
        self._cache = cache
        self._describe = describe

    def revision(self) -> CachedResult[Revision]:
        """Return the state of the experiments, see changes.read_revision."""
        return self._live_cache.get(
            "revision", partial(read_revision, self._engine), self._describe
        )

    def groups(self, query: GroupQuery, keys: Sequence[str]) -> CachedResult[pd.DataFrame]:
        """Return groups of experiments, see groups.read_groups."""
        return self._cache.get(
            ("groups", query), partial(read_groups, self._engine, query, keys), self._describe
        )

    def points(
        self, query: LeaderboardQuery, columns: Sequence[str], keys: Sequence[str], limit: int
    ) -> CachedResult[pd.DataFrame]:
        """Return the values of a chart, see points.read_points."""
        return self._cache.get(
            ("points", query, tuple(columns), limit),
            partial(read_points, self._engine, query, columns, keys, limit),
            self._describe,
        )

    def expire(self) -> None:
        """Read everything again at the next access, after a change."""
        self._live_cache.expire()
        self._cache.expire()
