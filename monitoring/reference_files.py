"""Reference files: reads the reference.json of a watched version from the model directory."""

import logging
from collections.abc import Mapping
from pathlib import Path

from inference.model_format.card import CARD_FILE, Card, FileRecord, InvalidCardError
from inference.model_format.layout import find_versions
from monitoring.detector import REFERENCE_FILE, InvalidReferenceError, Reference
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
            records = Card.read(directory / CARD_FILE).files
            reference = Reference.read(directory / REFERENCE_FILE)
            problem = _problem(reference, records, version)
        except (InvalidCardError, InvalidReferenceError, OSError) as error:
            problem = str(error)
        if problem is None:
            return reference
        logger.warning(
            "A reference is not used", extra={"path": str(directory), "problem": problem}
        )
        return None


def _problem(
    reference: Reference, records: Mapping[str, FileRecord], version: Version
) -> str | None:
    """Return why a reference is not that of a version, None if it is."""
    record = records.get(REFERENCE_FILE)
    if record is None or record.sha256 != reference.digest:
        return "The card does not record this file. Write it again (make references)."
    digests = {record.sha256 for record in records.values()}
    if version.digest not in digests:
        return "The card is of another model."
    if any(path.classes != len(version.classes) for path in reference.paths.values()):
        return "It has another number of classes. Write it again (make references)."
    return None
