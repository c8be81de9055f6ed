"""Fake reads of the leaderboard."""

from web.data.leaderboard.changes import Revision
from web.data.stale_cache import CachedResult


class FakeBoard:
    """Fake LeaderboardReader."""

    def __init__(self) -> None:
        self.state = Revision(newest=4, running=0, silent=0, period=0)
        self.later: Revision | None = None  # state from the second read of a run on
        self.expired = 0

    def revision(self) -> CachedResult[Revision]:
        state = self.state
        if self.later is not None:
            self.state = self.later
        return CachedResult(state, 0.0, None)

    def expire(self) -> None:
        self.expired += 1
