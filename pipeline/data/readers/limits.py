"""Limits of uploads, and the error of an upload that exceeds them or cannot be read."""

MAX_UPLOAD_BYTES = 256 * 2**20
MAX_IMAGES = 200_000
MAX_RATIO = 100  # unpacked to packed bytes
MAX_FILE_BYTES = 16 * 2**20  # of one image file
MAX_COLUMNS = 1_000
MAX_LABEL_CHARACTERS = 64
MAX_PLACE_CHARACTERS = 200
MAX_GROUP_CHARACTERS = 64
MAX_REASON_CHARACTERS = 300
MAX_LISTED_REJECTS = 100

ADDRESS_SPACE_BYTES = 3 * 2**30  # measured: NumPy, Pillow and pyarrow alone map 1 GB
CPU_SECONDS = 900
WALL_SECONDS = 1800

TOO_MANY_IMAGES = f"The file has more than {MAX_IMAGES:,} images. Load it in parts."
TOO_COMPRESSED = (
    f"The file unpacks to more than {MAX_RATIO} times its size. "
    "Create it again without blank images, or without compression."
)


class RejectedUploadError(Exception):
    """The whole file cannot be used. The message says why and what to do, in one or two sentences.

    It never repeats more than a few characters of the file.
    """


class RejectedRowError(Exception):
    """One image of the file cannot be used. The message says why."""


def printable(text: str, limit: int) -> str:
    """Return text on one line, with at most `limit` characters, all of them printable."""
    kept = "".join(character if character.isprintable() else "?" for character in text[:limit])
    return kept if len(text) <= limit else kept[: limit - 1] + "…"
