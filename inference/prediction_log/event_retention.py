"""Event retention: drops the months of prediction_events whose retention time is over.

EVENTS_KEEP_DAYS of the database set-up turns it on. The rule is the SQL function expire_events.
"""

import logging
import time
from datetime import UTC, datetime

import psycopg2
import psycopg2.extensions

from inference.database.retention import RetentionClock

CHECK_SECONDS = 60.0

logger = logging.getLogger(__name__)


class EventRetention:
    """Calls expire_events at intervals."""

    def __init__(self, clock: RetentionClock) -> None:
        self._clock = clock
        self._checked_at = float("-inf")  # time.monotonic()
        self._is_failing = False

    def expire_if_due(self, connection: psycopg2.extensions.connection) -> None:
        """Drop expired months, at most once in CHECK_SECONDS. A failure is logged once.

        Raises psycopg2.Error when the connection is lost.
        """
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        try:
            with connection, connection.cursor() as cursor:
                self._clock.advance(cursor)
                cursor.execute("SELECT expire_events(%s)", [datetime.now(UTC)])
                dropped = [name for (name,) in cursor.fetchall()]
        except psycopg2.Error as error:
            if connection.closed:
                raise
            if not self._is_failing:
                logger.warning("Old events cannot be dropped: %s", str(error).strip())
            self._is_failing = True
            return
        self._is_failing = False
        if dropped:
            logger.info("Dropped %s, whose retention time is over.", ", ".join(dropped))
