"""Changes of experiments while pages are open: new runs, and runs that log, end or go silent.

It reads two indexes only, so that pages may ask all the time.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, text

# Running runs log all the time. Pages read them again once in this time.
PERIOD_SECONDS = 2

REVISION = text("""
    SELECT (SELECT max(id) FROM experiments), count(*), count(silent_since),
           floor(extract(epoch FROM max(heartbeat_at)) / :period)
    FROM experiments
    WHERE state = 'running'
""")


@dataclass(frozen=True)
class Revision:
    """State of the experiments, another one after a change.

    Attributes:
        newest: highest identifier, 0 without experiments.
        running: number of running runs, silent ones included.
        silent: number of silent runs.
        period: number of the period of PERIOD_SECONDS in which a running run logged last, 0
            without running runs.

    """

    newest: int
    running: int
    silent: int
    period: int

    @property
    def runs(self) -> tuple[int, int, int]:
        """What changes if runs come, end or go silent, but not while they log."""
        return self.newest, self.running, self.silent


def read_revision(engine: Engine) -> Revision:
    """Read the state of the experiments.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    with engine.connect() as connection:
        row = connection.execute(REVISION, {"period": PERIOD_SECONDS}).one()
    return Revision(*(int(value or 0) for value in row))
