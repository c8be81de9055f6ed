"""Publication to a registry: claims the next version of a model, then uploads its files.

The claim is an object that only one publisher can create. The card is uploaded last, so a crash in
the middle leaves a claimed number that is never served.
"""

import io
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from inference.model_format.card import CARD_FILE, Card, InvalidCardError
from inference.registry.bucket import Bucket, RegistryError
from inference.registry.versions import (
    CLAIM_FILE,
    RefusedVersionError,
    check_card_size,
    object_key,
    read_listing,
)

OVERWRITES = (
    "ignores the condition of a write (If-None-Match: *), so two publishers could overwrite each "
    "other. Nothing was published. Use a server with conditional writes, see doc/registry.md."
)
UNUSABLE = (RefusedVersionError, InvalidCardError, FileNotFoundError, ValueError, RecursionError)


def add_version(bucket: Bucket, name: str, folder: Path, above: int = 0) -> int:
    """Upload the files of a prepared directory as the next version, and return its number.

    The number is above all that are published or claimed, and above `above`. Raises RegistryError
    and OSError: what was uploaded until then is not served.
    """
    number = max([above, *bucket.list_numbers(name)]) + 1
    claim = _claim()
    while not bucket.create(object_key(name, number, CLAIM_FILE), claim):
        number += 1  # another publisher was faster
    if bucket.create(object_key(name, number, CLAIM_FILE), claim):  # although it exists
        raise RegistryError(f"The server of {bucket.url} {OVERWRITES}")
    files = sorted(path for path in folder.iterdir() if path.name != CARD_FILE)
    for path in (*files, folder / CARD_FILE):
        with path.open("rb") as file:
            bucket.put(object_key(name, number, path.name), file)
    return number


def published_cards(bucket: Bucket, name: str) -> Iterator[tuple[int, Card]]:
    """Yield the versions of a model whose cards are valid. Raises RegistryError."""
    versions = read_listing(bucket.list_objects(name)).versions
    for (_, number), version in sorted(versions.items()):
        content = io.BytesIO()
        try:
            bucket.read(version.key_of(CARD_FILE), check_card_size(version), content.write)
            yield number, Card.from_document(json.loads(content.getvalue()))
        except UNUSABLE:
            continue


def _claim() -> bytes:
    """Return the content of a claim, which tells a reader whose it is."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    document = {"claimed_at": now, "host": socket.gethostname(), "pid": os.getpid()}
    return json.dumps(document).encode()
