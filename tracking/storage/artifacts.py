"""Artifacts: text and images that runs log, in the object storage of IMAGES_URL."""

import hashlib

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from inference.originals.store import OriginalStore, StorageUnavailableError
from tracking.errors import InvalidError, UnavailableError, UnknownArtifactError, UnknownRunError
from tracking.media import is_valid_path, media_type
from tracking.runs import Artifact, ArtifactContent
from tracking.storage.database import Database

MAX_STORED = 100  # files of one run, and
MAX_NOTED = 200  # with those that were refused
UNKNOWN_TYPE = "application/octet-stream"
NOT_TEXT = (
    "Only text and images (PNG, JPEG, WebP, GIF) are stored. Publish a model with make publish."
)
COLUMNS = "path, media_type, bytes, refused, stored_at"
IDENTITY = "SELECT id FROM experiments WHERE run_id = %s"
LOCK = f"{IDENTITY} FOR NO KEY UPDATE"
COUNT = """
SELECT count(*), count(url) FROM run_artifacts WHERE experiment_id = %s AND path <> %s
"""
EARLIER = "SELECT url FROM run_artifacts WHERE experiment_id = %s AND path = %s"
UPSERT = f"""
INSERT INTO run_artifacts (experiment_id, path, media_type, bytes, digest, url, refused)
VALUES (%(id)s, %(path)s, %(media_type)s, %(bytes)s, %(digest)s, %(url)s, %(refused)s)
ON CONFLICT (experiment_id, path) DO UPDATE SET media_type = excluded.media_type,
    bytes = excluded.bytes, digest = excluded.digest, url = excluded.url,
    refused = excluded.refused, stored_at = now()
RETURNING {COLUMNS}
"""
IS_USED = "SELECT 1 FROM run_artifacts WHERE experiment_id = %s AND url = %s"
LIST = f"""
SELECT {COLUMNS} FROM run_artifacts
WHERE experiment_id = %(id)s
  AND (%(path)s = '' OR path = %(path)s OR starts_with(path, %(path)s || '/'))
ORDER BY path
"""
READ = f"""
SELECT {COLUMNS}, url FROM run_artifacts
WHERE experiment_id = %s AND path = %s AND url IS NOT NULL
"""


class Artifacts:
    """Artifacts of the runs. Each method is one transaction. Thread-safe.

    Every method raises UnknownRunError, InvalidError for an invalid path, and UnavailableError
    while Postgres or the object storage does not answer.
    """

    def __init__(self, database: Database, store: OriginalStore, max_bytes: int) -> None:
        self._database, self._store, self.max_bytes = database, store, max_bytes

    def put(self, run_id: str, path: str, content: bytes) -> Artifact:
        """Store a file, or only note it with the reason: kind, size and number are limited.

        The media type follows from path and content.
        """
        if len(content) > self.max_bytes:
            return self.note_refused(run_id, path, len(content), self.too_large())
        kind = media_type(path, content)
        if kind is None:
            return self.note_refused(run_id, path, len(content), NOT_TEXT)
        _check_path(path)
        digest = hashlib.sha256(content).hexdigest()
        # Of the run, too: the retention deletes originals, which have keys of a digest only.
        key = f"{digest[:2]}/{run_id}{digest}.bin"
        with self._database.transaction() as cursor:
            number = _lock(cursor, run_id)
            stored = self._is_full(cursor, number, path)
            if stored is not None:
                return self._note(cursor, number, path, kind, len(content), stored)
            earlier = _url(cursor, number, path)
            try:
                self._store.put(key, content)
            except StorageUnavailableError as error:
                raise _unavailable(error) from error
            arguments = {
                "id": number,
                "path": path,
                "media_type": kind,
                "bytes": len(content),
                "digest": digest,
                "url": key,
                "refused": None,
            }
            cursor.execute(UPSERT, arguments)
            [row] = cursor.fetchall()
            is_replaced = earlier not in (None, key) and not _is_used(cursor, number, earlier)
        if is_replaced and earlier is not None:
            self._delete(earlier)
        return Artifact(*row)

    def note_refused(self, run_id: str, path: str, size: int, reason: str) -> Artifact:
        """Note a file whose content is not stored, with its size in bytes."""
        _check_path(path)
        with self._database.transaction() as cursor:
            number = _lock(cursor, run_id)
            return self._note(cursor, number, path, UNKNOWN_TYPE, size, reason)

    def list(self, run_id: str, path: str = "") -> "list[Artifact]":
        """Return the artifacts below a folder, in the order of their paths; "" is all of them."""
        if path:
            _check_path(path)
        with self._database.transaction() as cursor:
            number = _find(cursor, run_id)
            cursor.execute(LIST, {"id": number, "path": path})
            return [Artifact(*row) for row in cursor]

    def read(self, run_id: str, path: str) -> ArtifactContent:
        """Return a stored file. Raises UnknownArtifactError, also for a refused one."""
        _check_path(path)
        with self._database.transaction() as cursor:
            number = _find(cursor, run_id)
            cursor.execute(READ, [number, path])
            row = cursor.fetchone()
        if row is None:
            raise UnknownArtifactError
        try:
            content = self._store.get(row[-1])
        except StorageUnavailableError as error:
            raise _unavailable(error) from error
        if content is None:
            raise UnknownArtifactError("The file of this artifact is gone from the storage.")
        return ArtifactContent(Artifact(*row[:-1]), content)

    def too_large(self) -> str:
        """Return the reason for a file that is too large."""
        return f"The file is larger than {self.max_bytes:,} bytes (RUN_ARTIFACT_MAX_BYTES)."

    def _is_full(self, cursor: Cursor, number: int, path: str) -> str | None:
        """Return the reason if a run has as many stored files as it may have."""
        cursor.execute(COUNT, [number, path])
        [(_, stored)] = cursor.fetchall()
        return f"The run has {MAX_STORED} files already." if stored >= MAX_STORED else None

    def _note(
        self, cursor: Cursor, number: int, path: str, kind: str, size: int, reason: str
    ) -> Artifact:
        cursor.execute(COUNT, [number, path])
        [(noted, _)] = cursor.fetchall()
        if noted >= MAX_NOTED:
            raise InvalidError(f"{reason} {MAX_NOTED} files of this run are listed already.")
        earlier = _url(cursor, number, path)
        if earlier is not None:  # the stored file of this path stays
            raise InvalidError(reason, "path")
        arguments = {
            "id": number,
            "path": path,
            "media_type": kind,
            "bytes": size,
            "digest": None,
            "url": None,
            "refused": reason,
        }
        cursor.execute(UPSERT, arguments)
        [row] = cursor.fetchall()
        return Artifact(*row)

    def _delete(self, key: str) -> None:
        try:
            self._store.delete([key])
        except StorageUnavailableError:
            return  # an object that no row names


def _check_path(path: str) -> None:
    if not is_valid_path(path):
        raise InvalidError(
            "Invalid path. Use names between single slashes, without . or ..", "path"
        )


def _find(cursor: Cursor, run_id: str) -> int:
    return _identify(cursor, IDENTITY, run_id)


def _lock(cursor: Cursor, run_id: str) -> int:
    return _identify(cursor, LOCK, run_id)


def _identify(cursor: Cursor, statement: str, run_id: str) -> int:
    if "\0" in run_id:
        raise UnknownRunError
    cursor.execute(statement, [run_id])
    row = cursor.fetchone()
    if row is None:
        raise UnknownRunError
    return int(row[0])


def _url(cursor: Cursor, number: int, path: str) -> str | None:
    cursor.execute(EARLIER, [number, path])
    row = cursor.fetchone()
    return None if row is None else row[0]


def _is_used(cursor: Cursor, number: int, url: str | None) -> bool:
    cursor.execute(IS_USED, [number, url])
    return cursor.fetchone() is not None


def _unavailable(error: StorageUnavailableError) -> UnavailableError:
    return UnavailableError(f"{error} The artifact was not stored. Repeat the request later.")
