"""Candidate artifact: a zip archive of model.keras, model.tflite and card.json in the storage.

Its bytes depend only on the files: fixed order and times, without compression. Its key is its
digest, so that storing it again is harmless.
"""

import hashlib
import io
import zipfile
from pathlib import Path

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.originals.store import OriginalStore

FILES = (KERAS_FILE, LITERT_FILE, CARD_FILE)
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest of a zip archive
MODE = 0o100644 << 16  # a regular file, as Unix stores it in the upper half
UNIX = 3


def pack(folder: Path) -> bytes:
    """Return the archive of a staged model. Raises OSError if a file is missing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name in FILES:
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr, entry.create_system = MODE, UNIX
            file.writestr(entry, (folder / name).read_bytes())
    return archive.getvalue()


def put(store: OriginalStore, content: bytes, extension: str) -> str:
    """Store content below its digest and return its URL. Raises StorageUnavailableError."""
    return store.put(key_of(content, extension), content)


def key_of(content: bytes, extension: str) -> str:
    """Return the key of content, for example `ab/abcdef.zip`."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}.{extension}"
