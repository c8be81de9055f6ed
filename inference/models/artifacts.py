"""Artifacts: LiteRT models whose digests a card confirms, and Keras files to compile.

Reads a version's own files and earlier compilations. Unconfirmed files are never loaded.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    Card,
    FileRecord,
    InvalidCardError,
    declared_fields,
    file_record,
    read_document,
)
from inference.model_format.layout import ModelFiles
from inference.model_format.misplaced import LINK
from inference.model_format.safe_open import MAX_MODEL_BYTES
from inference.runtime.network import Network, UnservableModelError


@dataclass(frozen=True)
class Artifact:
    """A LiteRT model and its card.

    `digest` is that of the Keras file it was compiled from, or its own when there is none.
    """

    path: Path
    flatbuffer: bytes
    record: FileRecord
    digest: str
    card: Card


@dataclass(frozen=True)
class PendingCompilation:
    """A Keras file without a LiteRT model.

    `declared` holds the fields of its card. The compiler writes to `directory`. `changed_at` is the
    last change of the model's files (Unix time, s).
    """

    keras_file: Path
    digest: str
    declared: Mapping[str, Any]
    directory: Path
    changed_at: float = 0.0


def read(files: ModelFiles, compiled_dir: Path) -> Artifact | PendingCompilation:
    """Return the artifact of a version's own files or of an earlier compilation.

    Without one, return the compilation to run. Raises OSError, InvalidCardError and
    UnservableModelError.
    """
    if files.problem is not None:
        raise UnservableModelError(files.problem)
    keras = _read_record(files.keras_file)
    artifact = None if files.is_loose else _read_confirmed(files.path, keras)
    if artifact is not None:
        return artifact
    if keras is None:
        raise UnservableModelError(
            f"There is no {KERAS_FILE}, and no {CARD_FILE} confirms {LITERT_FILE}. "
            "Publish the Keras file."
        )
    declared = {}
    if not files.is_loose and _is_file(files.path / CARD_FILE):
        declared = declared_fields(read_document(files.path / CARD_FILE), keras)
    pending = PendingCompilation(
        files.keras_file,
        keras.sha256,
        declared,
        compiled_dir / _directory_name(keras.sha256, declared),
        files.changed_at,
    )
    return find_compiled(pending) or pending


def find_compiled(pending: PendingCompilation) -> Artifact | None:
    """Return the artifact of a finished compilation.

    Return None when it is missing or damaged, in which case it has to run again.
    """
    try:
        keras = FileRecord(
            pending.digest,
            read_document(pending.directory / CARD_FILE)["files"][KERAS_FILE]["bytes"],
        )
        return _read_confirmed(pending.directory, keras)
    except (OSError, KeyError, TypeError, InvalidCardError, UnservableModelError):
        return None


def read_previous(files: ModelFiles) -> Artifact | None:
    """Return the LiteRT model that a card confirms, whatever the Keras file beside it is now.

    Return None when there is none.
    """
    if files.is_loose or files.problem is not None:
        return None
    try:
        return _read_confirmed(files.path, None)
    except (OSError, InvalidCardError, UnservableModelError):
        return None


def is_complete(files: ModelFiles) -> bool:
    """Return whether all files exist and have the sizes in their card.

    A cheap test before the files are read.
    """
    if set(files.sizes) != {KERAS_FILE, LITERT_FILE, CARD_FILE}:
        return False
    try:
        records = read_document(files.path / CARD_FILE)["files"]
        return all(
            records[name]["bytes"] == files.sizes[name] for name in (KERAS_FILE, LITERT_FILE)
        )
    except (OSError, KeyError, TypeError, InvalidCardError):
        return False


def load_network(card: Card, flatbuffer: bytes) -> Network:
    """Load and probe a LiteRT model according to its card. Raises UnservableModelError."""
    return Network(flatbuffer, len(card.classes), card.input, card.output)


def _read_confirmed(directory: Path, keras: FileRecord | None) -> Artifact | None:
    """Return the artifact in a directory if its card confirms it for this Keras file."""
    path = directory / LITERT_FILE
    if not _is_file(path) or not _is_file(directory / CARD_FILE):
        return None
    document = read_document(directory / CARD_FILE)
    if "files" not in document and keras is not None:
        return None  # the card only declares a signature for compiling the Keras file
    card = Card.from_document(document)
    flatbuffer = path.read_bytes()
    record = file_record(flatbuffer)
    keras_record = card.files.get(KERAS_FILE)
    if card.files.get(LITERT_FILE) != record or (keras is not None and keras_record != keras):
        return None
    if not card.parity.holds:
        raise UnservableModelError(
            f"LiteRT and Keras disagree according to {CARD_FILE}. "
            f"Remove {LITERT_FILE} and {CARD_FILE} to compile the model again."
        )
    return Artifact(path, flatbuffer, record, (keras_record or record).sha256, card)


def _directory_name(digest: str, declared: Mapping[str, Any]) -> str:
    """Return the name of the directory for a Keras file compiled with declared fields."""
    if not declared:
        return digest
    fields = json.dumps(declared, sort_keys=True)
    return f"{digest}-{hashlib.sha256(fields.encode()).hexdigest()[:16]}"


def _read_record(path: Path) -> FileRecord | None:
    if not _is_file(path):
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(digest, file.tell())


def _is_file(path: Path) -> bool:
    """Return whether a file exists.

    Raises OSError, and UnservableModelError unless it is a regular file of limited size: a read
    from a pipe would never return.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(status.st_mode):
        raise UnservableModelError(f"{path.name} {LINK}")
    if not stat.S_ISREG(status.st_mode):
        raise UnservableModelError(f"{path.name} is not a regular file. Replace it with a copy.")
    if status.st_size > MAX_MODEL_BYTES:
        raise UnservableModelError(
            f"{path.name} has {status.st_size} bytes. "
            f"The limit is {MAX_MODEL_BYTES}: make a smaller model."
        )
    return True
