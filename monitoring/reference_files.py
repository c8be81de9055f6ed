"""Reference files: reads the reference.json of a watched version from the model directory."""

import logging
from pathlib import Path

from inference.model_format.card import CARD_FILE, Card, InvalidCardError
from inference.model_format.layout import find_versions
from monitoring.detector import REFERENCE_FILE, InvalidReferenceError, Reference
from monitoring.references.files import read_reference
from monitoring.storage.versions import Version

logger = logging.getLogger(__name__)

Fingerprint = tuple[str, int, int]


class ReferenceFiles:
    """Reference files of a model directory. A file is read once until it changes."""

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._seen: dict[str, tuple[Fingerprint, Reference | None]] = {}

    def read(self, version: Version) -> Reference | None:
        """Return the reference of a version, None if it has no valid one.

        It must be recorded by the card of the version's model, and have the version's classes.
        """
        directory = self._directory(version)
        if directory is None:
            return None
        try:
            status = (directory / REFERENCE_FILE).stat()
        except OSError:
            return None
        fingerprint = (str(directory), status.st_mtime_ns, status.st_size)
        known = self._seen.get(version.id)
        if known is None or known[0] != fingerprint:
            known = fingerprint, self._read(directory, version)
            self._seen[version.id] = known
        return known[1]

    def _directory(self, version: Version) -> Path | None:
        try:
            found, _ = find_versions(self._models_dir, version.experiment_name)
        except OSError:
            return None
        files = found.get(version.version)
        return None if files is None or files.is_loose else files.path

    def _read(self, directory: Path, version: Version) -> Reference | None:
        try:
            reference = read_reference(directory)
            digests = {record.sha256 for record in Card.read(directory / CARD_FILE).files.values()}
        except (InvalidCardError, InvalidReferenceError, OSError) as error:
            problem = str(error)
        else:
            if reference is None:
                return None
            classes = {path.classes for path in reference.paths.values()}
            if version.digest in digests and classes == {len(version.classes)}:
                return reference
            problem = "It describes another model. Write it again (make references)."
        logger.warning(
            "A reference is not used", extra={"path": str(directory), "problem": problem}
        )
        return None
