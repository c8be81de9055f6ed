"""Originals archiver: stores the originals of the prediction log and deletes expired ones.

It runs beside the shipper, with its own connection and its own journal offsets. An unavailable
store therefore does not delay the rows of predictions.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import psycopg2
import psycopg2.extensions
from psycopg2.extras import execute_values

from inference.database.connection import connect
from inference.database.retention import RetentionClock
from inference.originals.keys import key_in, key_of
from inference.originals.open_store import open_store
from inference.originals.store import StorageUnavailableError
from inference.prediction_log.decoder import LoggedOriginal, decode_originals
from inference.prediction_log.row_encoding import timestamp_text
from inference.prediction_log.segments import Segment, list_segments
from inference.prediction_log.shipped_offsets import ORIGINALS, ROWS, ShippedOffsets
from inference.settings import Settings

POLL_SECONDS = 0.5
RETRY_SECONDS = 5.0
BATCH_BYTES = 4 * 2**20
# Interval of the search for expired originals, a tenth of their retention time between these
MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS = 0.5, 60.0
EXPIRY_BATCH = 500  # originals deleted together
SECONDS_PER_DAY = 86_400
MAX_FAILED_SEGMENTS = 2  # after this many failures, the store counts as unavailable

# After a loss of the offsets the journal is read again. An original that was deleted after it was
# sent is not stored again.
SELECT_MISSING = """
SELECT digest FROM images JOIN (VALUES %s) AS s (id, sent_at) ON images.id = s.id::uuid
WHERE original_url IS NULL AND (deleted_at IS NULL OR deleted_at < s.sent_at::timestamptz)
"""
UPDATE_STORED = """
UPDATE images i SET original_url = s.url, stored_at = now(), stored_seconds = s.seconds
FROM (VALUES %s) AS s (digest, url, seconds)
WHERE i.id = left(s.digest, 32)::uuid AND i.original_url IS NULL
"""
# Continues after the last row of the previous batch, because an original that cannot be deleted
# stays expired. The pattern excludes stores below this one: their keys are longer. Old enough by
# both clocks, and by the time that the service has run (retention.py).
SELECT_EXPIRED = """
SELECT stored_at, id::text, original_url FROM images
WHERE stored_at < least(now(), %(now)s) - %(retention_seconds)s * interval '1 second'
      AND stored_seconds + %(retention_seconds)s <= %(service_seconds)s
      AND starts_with(original_url, %(url)s)
      AND substr(original_url, length(%(url)s) + 1) ~ '^[0-9a-f]{2}/[^/]+$'
      AND (stored_at, id) > (%(stored_at)s, %(id)s)
ORDER BY stored_at, id LIMIT %(limit)s
"""
FIRST_ROW = {"stored_at": "-infinity", "id": "00000000-0000-0000-0000-000000000000"}
UPDATE_DELETED = """
UPDATE images
SET original_url = NULL, stored_at = NULL, stored_seconds = NULL, deleted_at = now()
WHERE id = ANY (%s::uuid[])
"""

logger = logging.getLogger(__name__)


class OriginalsArchiver:
    """Stores originals and keeps them for `images_keep_days`."""

    def __init__(self, settings: Settings, offsets: ShippedOffsets, clock: RetentionClock) -> None:
        """Open the store. Raises ValueError for an invalid URL."""
        self._clock = clock
        self._directory = settings.journal_dir
        self._offsets = offsets
        self._is_storing = settings.stores_images
        self._store = open_store(settings.images_url)
        self._retention_seconds = settings.images_keep_days * SECONDS_PER_DAY
        self._connection: psycopg2.extensions.connection | None = None
        self._expired_at = float("-inf")  # time.monotonic() of the last search
        self._failing_tasks: set[str] = set()
        self.is_storage_failing = False

    def run(self, stopping: threading.Event) -> None:
        """Archive until `stopping` is set, and once more after that."""
        while True:
            is_last = stopping.is_set()
            if not is_last:  # first, because it frees space
                self.try_task("Expired originals cannot be deleted", self._expire_if_due)
            archived = 0
            if self._is_storing:
                archived = self.try_task(
                    f"Originals wait in {self._directory}", self.archive_and_note_failure
                )
            if is_last:
                return
            if self._failing_tasks or not archived:
                stopping.wait(RETRY_SECONDS if self._failing_tasks else POLL_SECONDS)

    def archive(self) -> int:
        """Store the originals whose rows are in Postgres, and return how many.

        A failure does not affect other segments, unless several fail. Raises
        StorageUnavailableError and psycopg2.Error.
        """
        archived = 0
        failures: list[StorageUnavailableError] = []
        for segment in list_segments(self._directory):
            try:
                archived += self._archive_segment(segment)
            except StorageUnavailableError as failure:
                failures.append(failure)
                if len(failures) == MAX_FAILED_SEGMENTS:
                    break
        if failures:
            raise failures[0]
        return archived

    def archive_and_note_failure(self) -> int:
        """Archive and update `is_storage_failing`, which stays as it is with nothing to store."""
        try:
            archived = self.archive()
        except StorageUnavailableError:
            self.is_storage_failing = True
            raise
        if archived:
            self.is_storage_failing = False
        return archived

    def expire(self) -> int:
        """Delete the originals whose retention time is over, and return how many.

        A failure does not affect other originals. Raises StorageUnavailableError and
        psycopg2.Error.
        """
        count = 0
        failures: dict[str, StorageUnavailableError] = {}
        after: Mapping[str, object] = FIRST_ROW
        with self._connect() as connection, connection.cursor() as cursor:
            service_seconds = self._clock.advance(cursor)
        while True:
            arguments = {
                "now": datetime.now(UTC),
                "service_seconds": service_seconds,
                "retention_seconds": self._retention_seconds,
                "url": f"{self._store.url}/",
                "limit": EXPIRY_BATCH,
                **after,
            }
            with self._connect() as connection, connection.cursor() as cursor:
                cursor.execute(SELECT_EXPIRED, arguments)
                expired = cursor.fetchall()
                failures |= self._store.delete([key_in(url) for _, _, url in expired])
                deleted = [image_id for _, image_id, url in expired if key_in(url) not in failures]
                cursor.execute(UPDATE_DELETED, [deleted])
            count += len(deleted)
            if len(expired) < EXPIRY_BATCH:
                break
            after = dict(zip(FIRST_ROW, expired[-1], strict=False))
        for failure in failures.values():
            raise failure
        return count

    def disconnect(self) -> None:
        """Close the connection to Postgres, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def try_task(self, failure_text: str, task: Callable[[], int]) -> int:
        """Run a task and return its result, or 0 after a failure, which is logged once."""
        try:
            result = task()
        except (StorageUnavailableError, psycopg2.Error, OSError) as error:
            if failure_text not in self._failing_tasks:
                logger.warning("%s: %s", failure_text, str(error).strip())
            self.disconnect()
        except Exception:  # any other error must not end the process, which also ships the rows
            logger.exception("%s.", failure_text)
        else:
            self._failing_tasks.discard(failure_text)
            return result
        self._failing_tasks.add(failure_text)
        return 0

    def _archive_segment(self, segment: Segment) -> int:
        archived = 0
        offset, end = self._offsets.get(ORIGINALS, segment), self._offsets.get(ROWS, segment)
        while offset < end:
            lines = segment.lines(offset, min(end, offset + BATCH_BYTES))
            if not lines:
                break  # the shipper gave up the originals and removed the segment
            archived += self._archive_originals(decode_originals(lines))
            previous, offset = offset, offset + sum(map(len, lines))
            if not self._offsets.advance(ORIGINALS, segment, previous, offset):
                break
        return archived

    def _expire_if_due(self) -> int:
        now = time.monotonic()
        interval = min(MAX_EXPIRY_SECONDS, max(MIN_EXPIRY_SECONDS, self._retention_seconds / 10))
        if now - self._expired_at >= interval:
            self._expired_at = now
            return self.expire()
        return 0

    def _archive_originals(self, originals: Mapping[str, LoggedOriginal]) -> int:
        """Store originals, by digest, that Postgres does not list as stored."""
        if not originals:
            return 0
        with self._connect() as connection, connection.cursor() as cursor:
            sent = [
                (digest[:32], timestamp_text(original.at)) for digest, original in originals.items()
            ]
            missing = [
                digest
                for (digest,) in execute_values(cursor, SELECT_MISSING, sent, fetch=True)
                if digest in originals
            ]
        if not missing:
            return 0
        keys = {digest: key_of(digest, originals[digest].media_type) for digest in missing}
        result = self._store.put_many({keys[digest]: originals[digest].data for digest in missing})
        urls = [
            (digest, result.urls[keys[digest]]) for digest in missing if keys[digest] in result.urls
        ]
        if urls:
            with self._connect() as connection, connection.cursor() as cursor:
                seconds = self._clock.advance(cursor)
                execute_values(cursor, UPDATE_STORED, [(*url, seconds) for url in urls])
        for failure in result.failures.values():
            raise failure
        return len(urls)

    def _connect(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect("mlops originals")
        return self._connection
