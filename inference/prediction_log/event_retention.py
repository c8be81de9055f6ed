"""Event retention: drops the months of prediction_events whose retention time is over.

EVENTS_KEEP_DAYS of the database set-up turns it on. The rule is the SQL function expire_events. It
also deletes the pixels of all but the newest images, by expire_pixels.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg2
import psycopg2.extensions

from inference.database.retention import RetentionClock

CHECK_SECONDS = 60.0

logger = logging.getLogger(__name__)


class EventRetention:
    """Calls expire_events and expire_pixels at intervals."""

    def __init__(self, clock: RetentionClock) -> None:
        self._clock = clock
        self._checked_at = float("-inf")  # time.monotonic()
        self._failing: set[str] = set()

    def expire_if_due(self, connection: psycopg2.extensions.connection) -> None:
        """Drop expired months and pixels, at most once in CHECK_SECONDS. Log a failure once.

        Raises psycopg2.Error when the connection is lost.
        """
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        self._expire(connection, "events", self._drop_months)
        self._expire(connection, "pixels", _delete_pixels)

    def _expire(
        self,
        connection: psycopg2.extensions.connection,
        name: str,
        expire: Callable[[psycopg2.extensions.cursor], None],
    ) -> None:
        try:
            with connection, connection.cursor() as cursor:
                expire(cursor)
        except psycopg2.Error as error:
            if connection.closed:
                raise
            if name not in self._failing:
                logger.warning("Old %s cannot be dropped: %s", name, str(error).strip())
            self._failing.add(name)
            return
        self._failing.discard(name)

    def _drop_months(self, cursor: psycopg2.extensions.cursor) -> None:
        self._clock.advance(cursor)
        cursor.execute("SELECT expire_events(%s)", [datetime.now(UTC)])
        dropped = [name for (name,) in cursor.fetchall()]
        if dropped:
            logger.info("Dropped %s, whose retention time is over.", ", ".join(dropped))


def _delete_pixels(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("SELECT expire_pixels()")
