"""Silent runs: those that still run and have sent nothing for a while."""

from psycopg2.extensions import cursor as Cursor  # noqa: N812

MARK = """
UPDATE experiments SET silent_since = heartbeat_at
WHERE state = 'running' AND silent_since IS NULL
  AND heartbeat_at < now() - %s * interval '1 second'
"""
COUNT = """
SELECT count(*), count(silent_since) FROM experiments WHERE state = 'running'
"""


def mark_silent(cursor: Cursor, seconds: int) -> None:
    """Mark runs that have sent nothing for so long. Their next request removes the mark."""
    cursor.execute(MARK, [seconds])


def count_running(cursor: Cursor) -> tuple[int, int]:
    """Return the number of running runs, and that of the silent ones among them."""
    cursor.execute(COUNT)
    [(running, silent)] = cursor.fetchall()
    return running, silent
