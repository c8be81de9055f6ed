"""Stores the originals of images that the journal holds, and deletes those whose retention time is over.

Beside the shipper, with a connection and a position in the journal of its own: a storage that is away keeps no row waiting.
"""

import logging
import threading
import time
from collections.abc import Mapping

import psycopg2
import psycopg2.extensions
from psycopg2.extras import execute_values

from inference.connection import connect
from inference.journal import ORIGINALS, ROWS, Progress, segments
from inference.rows import originals
from inference.settings import Settings
from inference.storage import Storage, StorageUnavailable, key_of

PAUSE_SECONDS = 0.5
RETRY_SECONDS = 5.0
BATCH_BYTES = 4 * 2**20
# How often it looks for originals whose time is over, at most and at least, and how many are deleted at once.
EXPIRY_SECONDS = (0.5, 60.0)
EXPIRED_AT_ONCE = 500
SECONDS_PER_DAY = 86_400

WANTED = "SELECT digest FROM images WHERE id = ANY (%s::uuid[]) AND original_url IS NULL"
STORED = """
UPDATE images i SET original_url = s.url, stored_at = now()
FROM (VALUES %s) AS s (digest, url) WHERE i.id = left(s.digest, 32)::uuid AND i.original_url IS NULL
"""
EXPIRED = """
SELECT digest, media_type FROM images
WHERE stored_at < now() - %(keep)s * interval '1 second' AND starts_with(original_url, %(url)s) ORDER BY stored_at LIMIT %(most)s
"""
DELETED = "UPDATE images SET original_url = NULL, stored_at = NULL, deleted_at = now() WHERE id = ANY (%s::uuid[])"

logger = logging.getLogger(__name__)


class Keeper:
    """Keeps originals for `images_keep_days`."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._directory = settings.journal_dir
        self._progress = progress
        self._stores = settings.stores_images
        self._storage = Storage.of(settings.images_url)
        self._keep_seconds = settings.images_keep_days * SECONDS_PER_DAY
        self._connection: psycopg2.extensions.connection | None = None
        self._looked_at = float("-inf")

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping`."""
        failing = False
        while True:
            is_last = stopping.is_set()
            try:
                stored = self.store() if self._stores else 0
                if not is_last:
                    self._expire_sometimes()
                failing = False
            except (StorageUnavailable, psycopg2.Error) as error:
                if not failing:
                    logger.warning("Originals of images wait in %s: %s", self._directory, str(error).strip())
                failing, stored = True, 0
                self._disconnect()
            except Exception:  # whatever it is, it is not worth the rows that the other thread ships
                logger.exception("Originals of images are not stored.")
                failing, stored = True, 0
            if is_last:
                return
            if failing or not stored:
                stopping.wait(RETRY_SECONDS if failing else PAUSE_SECONDS)

    def store(self) -> int:
        """Store the originals of which Postgres has the rows, and return how many. Raises StorageUnavailable and psycopg2.Error."""
        stored = 0
        for segment in segments(self._directory):
            offset, end = self._progress.get(ORIGINALS, segment), self._progress.get(ROWS, segment)
            while offset < end:
                lines = segment.lines(offset, min(end, offset + BATCH_BYTES))
                if not lines:
                    break  # the shipper has given it up
                stored += self._put(originals(lines))
                offset += sum(map(len, lines))
                self._progress.put(ORIGINALS, segment, offset)
        return stored

    def expire(self) -> int:
        """Delete originals whose time is over, and return how many. Raises StorageUnavailable and psycopg2.Error."""
        deleted = 0
        while True:
            arguments = {"keep": self._keep_seconds, "url": f"{self._storage.url}/", "most": EXPIRED_AT_ONCE}
            with self._connected() as connection, connection.cursor() as cursor:
                cursor.execute(EXPIRED, arguments)
                expired = cursor.fetchall()
                self._storage.delete([key_of(*row) for row in expired])
                cursor.execute(DELETED, [[digest[:32] for digest, _ in expired]])
            deleted += len(expired)
            if len(expired) < EXPIRED_AT_ONCE:
                return deleted

    def _expire_sometimes(self) -> None:
        least, most = EXPIRY_SECONDS
        now = time.monotonic()
        if now - self._looked_at >= min(most, max(least, self._keep_seconds / 10)):
            self._looked_at = now
            self.expire()

    def _put(self, found: Mapping[str, tuple[str, bytes]]) -> int:
        if not found:
            return 0
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.execute(WANTED, [[digest[:32] for digest in found]])
            wanted = [digest for (digest,) in cursor.fetchall() if digest in found]
        if not wanted:
            return 0
        keys = {digest: key_of(digest, found[digest][0]) for digest in wanted}
        done = self._storage.put_many({keys[digest]: found[digest][1] for digest in wanted})
        stored = [(digest, done.urls[keys[digest]]) for digest in wanted if keys[digest] in done.urls]
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

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
