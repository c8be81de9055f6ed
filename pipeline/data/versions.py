"""Versions: datasets in the store, each as its difference from its parent.

The object of a version is an npz file: `images` holds the pixels that the parent does not have, and
`manifest` is JSON with the rows that it adds and removes. Everything is verified when it is read.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from inference.originals.keys import key_in
from inference.originals.store import OriginalStore
from inference.preprocessing.canonical import SIDE
from pipeline.data.rows import Content, Row, dataset_digest

FORMAT = 1
PIXELS = SIDE * SIDE


class UnreadableVersionError(Exception):
    """The stored object of a dataset is missing or damaged. The message says what to do."""


@dataclass(frozen=True)
class StoredVersion:
    """A row of `datasets`: its digest and the address of its object."""

    id: int
    digest: str
    url: str


def save(store: OriginalStore, parent: Content | None, content: Content) -> tuple[str, int]:
    """Store the difference of a dataset from its parent. Return its URL and its size in bytes.

    Equal content has an equal object, so saving it again changes nothing. Raises
    StorageUnavailableError.
    """
    data = encode(parent or Content(content.base_sha256), content)
    digest = hashlib.sha256(data).hexdigest()
    return store.put(f"{digest[:2]}/{digest}.npz", data), len(data)


def load(store: OriginalStore, chain: Sequence[StoredVersion]) -> Content:
    """Return the content of the last version of a chain, which begins without a parent.

    Raises UnreadableVersionError and StorageUnavailableError.
    """
    content = Content("")
    for version in chain:
        key = key_in(version.url)
        data = store.get(key)
        if data is None:
            raise _unreadable(version, "is missing")
        if hashlib.sha256(data).hexdigest() != key[3:].partition(".")[0]:
            raise _unreadable(version, "is damaged")
        try:
            content = decode(content, data)
        except (ValueError, TypeError, LookupError, EOFError, BadZipFile) as error:
            raise _unreadable(version, f"is damaged ({error})") from error
        if dataset_digest(content.base_sha256, content.rows()) != version.digest:
            raise _unreadable(version, "does not have the dataset's digest")
    return content


def encode(parent: Content, content: Content) -> bytes:
    """Return the object of a version, the same bytes for the same contents."""
    new = sorted(content.pixels.keys() - parent.pixels.keys())
    manifest = {
        "format": FORMAT,
        "base": content.base_sha256,
        "images": new,
        "conflicts": dict(sorted(content.conflicts.items())),
        "uploaded": _difference(parent.uploaded, content.uploaded),
        "answered": _difference(parent.answered, content.answered),
    }
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    pixels = b"".join(content.pixels[digest] for digest in new)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        images=np.frombuffer(pixels, np.uint8).reshape(len(new), SIDE, SIDE),
        manifest=np.frombuffer(text.encode(), np.uint8),
    )
    return file.getvalue()


def decode(parent: Content, data: bytes) -> Content:
    """Return the content of a version from its parent's and its object.

    Raises ValueError, TypeError, LookupError, EOFError or BadZipFile for a damaged object.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        images, text = archive["images"], archive["manifest"].tobytes()
    manifest = json.loads(text)
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']} instead of {FORMAT}")
    if images.dtype != np.uint8 or images.shape != (len(manifest["images"]), SIDE, SIDE):
        raise ValueError("images have a wrong shape")
    pixels = dict(parent.pixels)
    for digest, image in zip(manifest["images"], images, strict=True):
        pixels[digest] = image.tobytes()
        if hashlib.sha256(pixels[digest]).hexdigest() != digest:
            raise ValueError(f"image {digest} has another digest")
    uploaded = _apply(parent.uploaded, manifest["uploaded"])
    answered = _apply(parent.answered, manifest["answered"])
    return Content(
        manifest["base"],
        uploaded,
        answered,
        manifest["conflicts"],
        {digest: pixels[digest] for digest in sorted(uploaded.keys() | answered.keys())},
    )


def _difference(before: Mapping[str, Row], after: Mapping[str, Row]) -> dict[str, Any]:
    added = [astuple(row) for digest, row in sorted(after.items()) if before.get(digest) != row]
    return {"added": added, "removed": sorted(before.keys() - after.keys())}


def _apply(before: Mapping[str, Row], difference: Mapping[str, Any]) -> dict[str, Row]:
    removed = set(difference["removed"])
    rows = {digest: row for digest, row in before.items() if digest not in removed}
    for values in difference["added"]:
        row = Row(*values)
        rows[row.digest] = row
    return rows


def _unreadable(version: StoredVersion, problem: str) -> UnreadableVersionError:
    return UnreadableVersionError(
        f"The stored object of dataset {version.id} ({version.url}) {problem}. "
        "Restore it from a backup of the image store."
    )
