"""Object keys of originals: hex digits and an extension, such as `ab/abcdef0123.png`.

Stores accept no other key, so that a key never leads out of the directory or the bucket's prefix.
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


def validate_keys(keys: Iterable[str]) -> None:
    """Raise ValueError for the first invalid key."""
    for key in keys:
        if not PATTERN.fullmatch(key):
            raise ValueError(
                f"Invalid object key {key[:MAX_SHOWN]!r}."
                " Use hex digits and an extension, such as ab/abcdef0123.png."
            )


def key_of(digest: str, media_type: str) -> str:
    """Return the key of an original from the image's SHA-256 digest in hex and its media type."""
    return f"{digest[:2]}/{digest}{EXTENSIONS.get(media_type, '.bin')}"


def key_in(url: str) -> str:
    """Return the key at the end of an object's URL."""
    return "/".join(url.rsplit("/", 2)[1:])


def media_type_of(key: str) -> str:
    """Return the media type that belongs to a key's extension."""
    return MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")
