"""Media types of artifacts: images by their first bytes, text by its characters. Pure."""

import re
from pathlib import PurePosixPath

IMAGES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
TEXTS = {
    ".csv": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".xml": "application/xml",
}
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # others occur in logs of terminals
MAX_PATH = 500  # characters


def media_type(path: str, content: bytes) -> str | None:
    """Return the media type of a text or an image, None for any other content."""
    for pattern, name in IMAGES:
        if pattern.match(content):
            return name
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if CONTROLS.search(text):
        return None
    return TEXTS.get(PurePosixPath(path).suffix.lower(), "text/plain")


def is_valid_path(path: str) -> bool:
    """Return whether a path is one of names between single slashes, none of them `.` or `..`."""
    parts = path.split("/")
    return (
        0 < len(path) <= MAX_PATH
        and path.isprintable()
        and "\\" not in path
        and all(part not in ("", ".", "..") for part in parts)
    )
