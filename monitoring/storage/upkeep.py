"""Upkeep: deletes history that is no longer needed."""

from psycopg2.extensions import cursor as Cursor  # noqa: N812

HISTORY_DAYS = 90
PRUNE = "DELETE FROM drift_checks WHERE at < now() - make_interval(days => %s)"


def prune_history(cursor: Cursor) -> int:
    """Delete rows of drift_checks after 90 days and return their number. Raises psycopg2.Error."""
    cursor.execute(PRUNE, [HISTORY_DAYS])
    return int(cursor.rowcount)
