"""Artifacts: text and images that runs log, in the object storage of IMAGES_URL below runs/."""

from inference.originals.store import OriginalStore
from tracking.runs import Artifact, ArtifactContent
from tracking.storage.database import Database


class Artifacts:
    """Artifacts of the runs. Each method is one transaction. Thread-safe.

    Every method raises UnknownRunError, and UnavailableError while Postgres or the object storage
    does not answer.
    """

    def __init__(self, database: Database, store: OriginalStore, max_bytes: int) -> None:
        self._database, self._store, self._max_bytes = database, store, max_bytes

    def put(self, run_id: str, path: str, content: bytes) -> Artifact:
        """Store a file, or only note it with the reason: kind, size and number are limited.

        The media type follows from path and content. Raises InvalidError for an invalid path.
        """
        raise NotImplementedError

    def note_refused(self, run_id: str, path: str, size: int, reason: str) -> Artifact:
        """Note a file whose content was not read. Raises InvalidError for an invalid path."""
        raise NotImplementedError

    def list(self, run_id: str, path: str = "") -> list[Artifact]:
        """Return the artifacts below a folder, in the order of their paths; "" is all of them."""
        raise NotImplementedError

    def read(self, run_id: str, path: str) -> ArtifactContent:
        """Return a stored file. Raises UnknownArtifactError, also for a refused one."""
        raise NotImplementedError
