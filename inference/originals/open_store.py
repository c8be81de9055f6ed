"""Store factory: returns the store that IMAGES_URL names."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from inference.object_storage.client import BUCKET_PATTERN
from inference.object_storage.provider import Provider
from inference.originals.local_store import LocalStore
from inference.originals.store import OriginalStore

SCHEME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
INVALID_URL = (
    "IMAGES_URL must be a directory, file:///directory, s3://bucket/prefix, gs://bucket/prefix"
    " or az://container/prefix. Credentials belong in environment variables, see doc/data.md."
)


def open_store(url: str) -> OriginalStore:
    """Return the store at a path, file:///directory, s3://, gs:// or az:// URL.

    Neither disk nor network is accessed. Raises ValueError for any other URL. The message does not
    repeat the URL, which may hold a password.
    """
    bucket = BUCKET_PATTERN.fullmatch(url)
    if bucket is not None:
        # Saves the memory of its imports where a directory is used.
        from inference.originals.object_store import ObjectStore  # noqa: PLC0415

        return ObjectStore(Provider[bucket["scheme"].upper()], url.rstrip("/"))
    if url and not SCHEME_PATTERN.match(url):
        return LocalStore(Path(url))
    parts = urlsplit(url)
    is_local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
    if not is_local or parts.query or parts.fragment or parts.path in {"", "/"}:
        raise ValueError(INVALID_URL)
    return LocalStore(Path(unquote(parts.path)))
