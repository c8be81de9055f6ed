"""What can be served of a version's files: a LiteRT model that a card confirms by its digests.

Believes nothing else.
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
    declared,
    file_record,
    read_document,
)
from inference.model_format.layout import ModelFiles
from inference.model_format.safe_open import MAX_MODEL_BYTES
from inference.runtime.network import Network, UnservableModelError


@dataclass(frozen=True)
class Artefact:
    """A LiteRT model, its card, and the digest of the Keras file that it was made of (of its own
    where there is none).
    """

    path: Path
    flatbuffer: bytes
    record: FileRecord
    digest: str
    card: Card


@dataclass(frozen=True)
class PendingCompilation:
    """A Keras file without a LiteRT model.

    What its card states of it, and the directory that the compiler is to fill.
    """

    keras_file: Path
    digest: str
    declared: Mapping[str, Any]
    directory: Path


def read(place: ModelFiles, compiled_dir: Path) -> Artefact | PendingCompilation:
    """Return what a version's own files are, or what was compiled of them earlier, or what there is
    to compile.

    Raises OSError, InvalidCardError and UnservableModelError.
    """
    keras = _record(place.keras_file)
    artefact = None if place.is_loose else _confirmed(place.path, keras)
    if artefact is not None:
        return artefact
    if keras is None:
        raise UnservableModelError(
            f"There is no {KERAS_FILE}, and no {CARD_FILE} confirms {LITERT_FILE}."
        )
    said = {}
    if not place.is_loose and CARD_FILE in place.sizes:
        said = declared(read_document(place.path / CARD_FILE), keras)
    uncompiled = PendingCompilation(
        place.keras_file, keras.sha256, said, compiled_dir / _key(keras.sha256, said)
    )
    return compiled(uncompiled) or uncompiled


def compiled(uncompiled: PendingCompilation) -> Artefact | None:
    """Return what the compiler made of a Keras file, or None when there is nothing or it is
    damaged: it is made anew then.
    """
    try:
        keras = FileRecord(
            uncompiled.digest,
            read_document(uncompiled.directory / CARD_FILE)["files"][KERAS_FILE]["bytes"],
        )
        return _confirmed(uncompiled.directory, keras)
    except (OSError, KeyError, TypeError, InvalidCardError, UnservableModelError):
        return None


def seems_complete(place: ModelFiles) -> bool:
    """Tell whether a card names the sizes that a version's files have, so that reading them is
    worth the while.
    """
    if set(place.sizes) != {KERAS_FILE, LITERT_FILE, CARD_FILE}:
        return False
    try:
        files = read_document(place.path / CARD_FILE)["files"]
        return all(files[name]["bytes"] == place.sizes[name] for name in (KERAS_FILE, LITERT_FILE))
    except (OSError, KeyError, TypeError, InvalidCardError):
        return False


def network(card: Card, flatbuffer: bytes) -> Network:
    """Load and probe a LiteRT model as its card says. Raises UnservableModelError."""
    return Network(flatbuffer, len(card.classes), card.input, card.output)


def _confirmed(directory: Path, keras: FileRecord | None) -> Artefact | None:
    """Return the LiteRT model that a directory's card confirms to be of this Keras file, or None
    when it confirms none.
    """
    path = directory / LITERT_FILE
    if not _is_there(path) or not (directory / CARD_FILE).exists():
        return None
    document = read_document(directory / CARD_FILE)
    if "files" not in document and keras is not None:
        return None  # a card of the contract alone: there is a Keras file to be compiled by it
    card = Card.of(document)
    flatbuffer = path.read_bytes()
    record = file_record(flatbuffer)
    keras_record = card.files.get(KERAS_FILE)
    if card.files.get(LITERT_FILE) != record or (keras is not None and keras_record != keras):
        return None
    if not card.parity.holds:
        raise UnservableModelError(
            f"Its card says that LiteRT and Keras disagree; remove {LITERT_FILE} and {CARD_FILE} to compile it."
        )
    return Artefact(path, flatbuffer, record, (keras_record or record).sha256, card)


def _key(digest: str, said: Mapping[str, Any]) -> str:
    """Return the name of the directory of what is compiled of a Keras file with a contract."""
    if not said:
        return digest
    return f"{digest}-{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]}"


def _record(path: Path) -> FileRecord | None:
    if not _is_there(path):
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(digest, file.tell())


def _is_there(path: Path) -> bool:
    """Tell whether there is a file.

    Raises OSError, and UnservableModelError for what is none: reading a pipe would never end.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise UnservableModelError(f"{path.name} is no regular file.")
    if status.st_size > MAX_MODEL_BYTES:
        raise UnservableModelError(
            f"{path.name} has {status.st_size} bytes; {MAX_MODEL_BYTES} are the most that is served."
        )
    return True
