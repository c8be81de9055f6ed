"""Versions of a registry: keys of a listing, and the files that a card confirms. Pure.

NAME/VERSION/.claim          the number is taken; written first, by one publisher only
NAME/VERSION/model.tflite    and the other files of the version
NAME/VERSION/card.json       written last: with it, the version counts
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MAX_CARD_BYTES,
    Card,
    FileRecord,
)
from inference.model_format.layout import LOOSE_SUFFIX, NAME_PATTERN, VERSION_PATTERN
from inference.model_format.robustness import MAX_BYTES as MAX_ROBUSTNESS_BYTES
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.model_format.safe_open import MAX_MODEL_BYTES

CLAIM_FILE = ".claim"
# Further files that a card may record, such as reference.json.
DOCUMENT_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,31}\.json")
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
KEY_PARTS = 3
MAX_IGNORED = 5  # ignored keys that are kept for the log
AGAIN = "Publish the model again."

Key = tuple[str, int]


class RefusedVersionError(Exception):
    """A version of the registry is not served. The message says why and what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """An object of a listing: its size in bytes, and its ETag, which changes with its content."""

    bytes: int
    etag: str


@dataclass(frozen=True)
class RemoteVersion:
    """A version whose card is in the registry. `files` are those beside the card, and the card."""

    name: str
    number: int
    files: Mapping[str, RemoteFile]

    @property
    def fingerprint(self) -> dict[str, list[str | int]]:
        """Sizes and ETags of all files, as JSON."""
        return {name: [file.bytes, file.etag] for name, file in sorted(self.files.items())}

    def key_of(self, file: str) -> str:
        """Return the object key of a file."""
        return object_key(self.name, self.number, file)


@dataclass
class Listing:
    """Content of a registry.

    `ignored` counts the objects that are not at NAME/VERSION/FILE, and `examples` has some of them.
    """

    versions: dict[Key, RemoteVersion] = field(default_factory=dict)
    ignored: int = 0
    examples: list[str] = field(default_factory=list)


def object_key(name: str, number: int, file: str) -> str:
    """Return the object key of a version's file."""
    return f"{name}/{number}/{file}"


def is_model_name(name: str) -> bool:
    """Return whether a version in a folder of this name can be served."""
    return bool(NAME_PATTERN.fullmatch(name)) and not name.endswith(LOOSE_SUFFIX)


def read_listing(objects: Iterable[tuple[str, RemoteFile]]) -> Listing:
    """Return the versions in a listing of object keys.

    A key whose name or number could lead out of the model directory is ignored.
    """
    listing, files = Listing(), dict[Key, dict[str, RemoteFile]]()
    for key, file in objects:
        parts = key.split("/")
        if (
            len(parts) == KEY_PARTS
            and is_model_name(parts[0])
            and VERSION_PATTERN.fullmatch(parts[1])
        ):
            files.setdefault((parts[0], int(parts[1])), {})[parts[2]] = file
        else:
            listing.ignored += 1
            if len(listing.examples) < MAX_IGNORED:
                listing.examples.append(key)
    for (name, number), found in files.items():
        if CARD_FILE in found:
            listing.versions[name, number] = RemoteVersion(name, number, found)
    return listing


def check_card_size(version: RemoteVersion) -> int:
    """Return the size of a version's card in bytes. Raises RefusedVersionError."""
    size = version.files[CARD_FILE].bytes
    if not 0 < size <= MAX_CARD_BYTES:
        raise RefusedVersionError(
            f"{CARD_FILE} has {size} bytes, but the limits are 1 and {MAX_CARD_BYTES}. {AGAIN}"
        )
    return size


def files_to_fetch(version: RemoteVersion, card: Card) -> dict[str, FileRecord]:
    """Return the records of the files that serving needs, by name.

    model.keras is left out: serving needs only its digest, which the card has. It may be missing.
    Raises RefusedVersionError unless all other recorded files have the sizes in the card.
    """
    if LITERT_FILE not in card.files:
        raise RefusedVersionError(f"{CARD_FILE} does not record {LITERT_FILE}. {AGAIN}")
    wanted = {}
    for name, record in card.files.items():
        if name not in (KERAS_FILE, LITERT_FILE) and not DOCUMENT_PATTERN.fullmatch(name):
            continue
        _check_record(name, record)
        file = version.files.get(name)
        if file is None and name != KERAS_FILE:
            raise RefusedVersionError(f"{name} is missing, but {CARD_FILE} records it. {AGAIN}")
        if file is not None and file.bytes != record.bytes:
            raise RefusedVersionError(
                f"{name} has {file.bytes} bytes, but {CARD_FILE} records {record.bytes}. {AGAIN}"
            )
        if name != KERAS_FILE:
            wanted[name] = record
    return wanted


def has_robustness(version: RemoteVersion) -> bool:
    """Return whether a version has a robustness.json of a valid size, which no card records."""
    file = version.files.get(ROBUSTNESS_FILE)
    return file is not None and 0 < file.bytes <= MAX_ROBUSTNESS_BYTES


def _check_record(name: str, record: FileRecord) -> None:
    is_valid = (
        type(record.bytes) is int
        and 0 < record.bytes <= MAX_MODEL_BYTES
        and isinstance(record.sha256, str)
        and DIGEST_PATTERN.fullmatch(record.sha256)
    )
    if not is_valid:
        raise RefusedVersionError(
            f"{CARD_FILE} records no valid size and SHA-256 of {name}. "
            f"The size is at most {MAX_MODEL_BYTES} bytes. {AGAIN}"
        )
