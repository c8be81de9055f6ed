"""Object keys of originals: hex digits and an extension, such as `ab/abcdef0123.png`.

Stores write no other key, so that a key never leads out of the directory or the bucket's prefix.
They also list and read objects of other names, which other programs have put there.
"""

import re
from collections.abc import Iterable
from pathlib import Path

PATTERN = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2,128}\.[a-z0-9]{1,8}")
EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
}
MEDIA_TYPES = {extension: media_type for media_type, extension in EXTENSIONS.items()}
MAX_SHOWN = 100  # characters of an invalid key in a message
MAX_NAME_BYTES = 1024  # as in S3


def validate_keys(keys: Iterable[str]) -> None:
    """Raise ValueError for the first invalid key."""
    for key in keys:
        if not PATTERN.fullmatch(key):
            raise ValueError(
                f"Invalid object key {key[:MAX_SHOWN]!r}."
                " Use hex digits and an extension, such as ab/abcdef0123.png."
            )


def is_listed(name: str) -> bool:
    """Return whether an object's name is one that stores list and read.

    It is UTF-8 of at most 1024 bytes without control characters. No part between slashes is empty
    or begins with a dot, so that it neither leads out of the store nor names a hidden file.
    """
    try:
        is_short = len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:  # a local file name that is not UTF-8
        return False
    parts = name.split("/")
    return is_short and name.isprintable() and all(part and part[0] != "." for part in parts)


def validate_names(names: Iterable[str]) -> None:
    """Raise ValueError for the first name that no store lists."""
    for name in names:
        if not is_listed(name):
            raise ValueError(
                f"Invalid object name {name[:MAX_SHOWN]!r}."
                " Use parts between single slashes that do not begin with a dot."
            )


def folder_of(prefix: str) -> str:
    """Return a prefix without its last slash; an empty one is the whole store.

    Raises ValueError for a prefix that is not a folder's name.
    """
    folder = prefix.removesuffix("/")
    if folder:
        validate_names([folder])
    return folder


def key_of(digest: str, media_type: str) -> str:
    """Return the key of an original from the image's SHA-256 digest in hex and its media type."""
    return f"{digest[:2]}/{digest}{EXTENSIONS.get(media_type, '.bin')}"


def key_in(url: str) -> str:
    """Return the key at the end of an object's URL."""
    return "/".join(url.rsplit("/", 2)[1:])


def media_type_of(key: str) -> str:
    """Return the media type that belongs to a key's extension."""
    return MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")
