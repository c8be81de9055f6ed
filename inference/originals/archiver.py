"""Stores the originals of images that the journal holds, and deletes those whose retention time is
over.

Beside the shipper, with a connection and a position in the journal of its own: a storage that is
away keeps no row waiting.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

import psycopg2
import psycopg2.extensions
from psycopg2.extras import execute_values

from inference.database.connection import connect
from inference.originals.store import Storage, StorageUnavailableError, key_in, key_of
from inference.prediction_log.decoder import SentOriginal, moment, originals
from inference.prediction_log.journal import ORIGINALS, ROWS, Segment, ShippedOffsets, segments
from inference.settings import Settings

PAUSE_SECONDS = 0.5
RETRY_SECONDS = 5.0
BATCH_BYTES = 4 * 2**20
# How often it looks for originals whose time is over, at most and at least, and how many are
# deleted at once.
EXPIRY_SECONDS = (0.5, 60.0)
EXPIRED_AT_ONCE = 500
SECONDS_PER_DAY = 86_400
SEGMENTS_TRIED = 2  # when so many cannot be stored, the storage is away

# What was deleted since it was sent is read once more where nobody knows any longer how far the
# journal was read.
WANTED = """
SELECT digest FROM images JOIN (VALUES %s) AS s (id, sent_at) ON images.id = s.id::uuid
WHERE original_url IS NULL AND (deleted_at IS NULL OR deleted_at < s.sent_at::timestamptz)
"""
STORED = """
UPDATE images i SET original_url = s.url, stored_at = now()
FROM (VALUES %s) AS s (digest, url) WHERE i.id = left(s.digest, 32)::uuid AND i.original_url IS NULL
"""
# After one that is left because it cannot be deleted. Another storage may be below this one: its
# keys would be longer.
EXPIRED = """
SELECT stored_at, id::text, original_url FROM images
WHERE stored_at < now() - %(keep)s * interval '1 second' AND starts_with(original_url, %(url)s)
      AND substr(original_url, length(%(url)s) + 1) ~ '^[0-9a-f]{2}/[^/]+$' AND (stored_at, id) > (%(stored_at)s, %(id)s)
ORDER BY stored_at, id LIMIT %(most)s
"""
FIRST = {"stored_at": "-infinity", "id": "00000000-0000-0000-0000-000000000000"}
DELETED = "UPDATE images SET original_url = NULL, stored_at = NULL, deleted_at = now() WHERE id = ANY (%s::uuid[])"

logger = logging.getLogger(__name__)


class OriginalsArchiver:
    """Keeps originals for `images_keep_days`."""

    def __init__(self, settings: Settings, progress: ShippedOffsets) -> None:
        self._directory = settings.journal_dir
        self._progress = progress
        self._stores = settings.stores_images
        self._storage = Storage.of(settings.images_url)
        self._keep_seconds = settings.images_keep_days * SECONDS_PER_DAY
        self._connection: psycopg2.extensions.connection | None = None
        self._looked_at = float("-inf")
        self._failing: set[str] = set()
        self.is_storage_failing = False

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping`."""
        while True:
            is_last = stopping.is_set()
            if not is_last:
                self._try(
                    "Originals whose time is over stay", self._expire_sometimes
                )  # first: it makes room
            stored = (
                self._try(f"Originals of images wait in {self._directory}", self._store)
                if self._stores
                else 0
            )
            if is_last:
                return
            if self._failing or not stored:
                stopping.wait(RETRY_SECONDS if self._failing else PAUSE_SECONDS)

    def store(self) -> int:
        """Store the originals of which Postgres has the rows, and return how many.

        Raises StorageUnavailableError and psycopg2.Error.

        What cannot be stored keeps nothing in other segments waiting, unless that cannot be stored
        either.
        """
        stored = 0
        failures: list[StorageUnavailableError] = []
        for segment in segments(self._directory):
            try:
                stored += self._store_of(segment)
            except StorageUnavailableError as failure:
                failures.append(failure)
                if len(failures) == SEGMENTS_TRIED:
                    break
        if failures:
            raise failures[0]
        return stored

    def expire(self) -> int:
        """Delete originals whose time is over, and return how many.

        Raises StorageUnavailableError and psycopg2.Error.

        One that cannot be deleted keeps no other.
        """
        deleted = 0
        left: dict[str, StorageUnavailableError] = {}
        after: Mapping[str, object] = FIRST
        while True:
            arguments = {
                "keep": self._keep_seconds,
                "url": f"{self._storage.url}/",
                "most": EXPIRED_AT_ONCE,
                **after,
            }
            with self._connected() as connection, connection.cursor() as cursor:
                cursor.execute(EXPIRED, arguments)
                expired = cursor.fetchall()
                left |= self._storage.delete([key_in(url) for _, _, url in expired])
                gone = [own_id for _, own_id, url in expired if key_in(url) not in left]
                cursor.execute(DELETED, [gone])
            deleted += len(gone)
            if len(expired) < EXPIRED_AT_ONCE:
                break
            after = dict(zip(FIRST, expired[-1], strict=False))
        for failure in left.values():
            raise failure
        return deleted

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _try(self, fault: str, work: Callable[[], int]) -> int:
        """Do some work and return what it returns, or 0 when it fails, which is said when it begins
        to.
        """
        try:
            done = work()
        except (StorageUnavailableError, psycopg2.Error) as error:
            if fault not in self._failing:
                logger.warning("%s: %s", fault, str(error).strip())
            self.disconnect()
        except Exception:  # whatever it is, it is not worth the rows that the other thread ships
            logger.exception("%s.", fault)
        else:
            self._failing.discard(fault)
            return done
        self._failing.add(fault)
        return 0

    def _store(self) -> int:
        try:
            stored = self.store()
        except StorageUnavailableError:
            self.is_storage_failing = True
            raise
        if stored:  # with nothing to store nobody knows
            self.is_storage_failing = False
        return stored

    def _store_of(self, segment: Segment) -> int:
        stored = 0
        offset, end = self._progress.get(ORIGINALS, segment), self._progress.get(ROWS, segment)
        while offset < end:
            lines = segment.lines(offset, min(end, offset + BATCH_BYTES))
            if not lines:
                break  # the shipper has given it up
            stored += self._put(originals(lines))
            before, offset = offset, offset + sum(map(len, lines))
            if not self._progress.advance(ORIGINALS, segment, before, offset):
                break
        return stored

    def _expire_sometimes(self) -> int:
        least, most = EXPIRY_SECONDS
        now = time.monotonic()
        if now - self._looked_at >= min(most, max(least, self._keep_seconds / 10)):
            self._looked_at = now
            return self.expire()
        return 0

    def _put(self, found: Mapping[str, SentOriginal]) -> int:
        if not found:
            return 0
        with self._connected() as connection, connection.cursor() as cursor:
            sent = [(digest[:32], moment(each.at)) for digest, each in found.items()]
            wanted = [
                digest
                for (digest,) in execute_values(cursor, WANTED, sent, fetch=True)
                if digest in found
            ]
        if not wanted:
            return 0
        keys = {digest: key_of(digest, found[digest].media_type) for digest in wanted}
        done = self._storage.put_many({keys[digest]: found[digest].data for digest in wanted})
        stored = [
            (digest, done.urls[keys[digest]]) for digest in wanted if keys[digest] in done.urls
        ]
        if stored:
            with self._connected() as connection, connection.cursor() as cursor:
                execute_values(cursor, STORED, stored)
        for failure in done.failed.values():
            raise failure
        return len(stored)

    def _connected(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect("mlops originals")
        return self._connection
