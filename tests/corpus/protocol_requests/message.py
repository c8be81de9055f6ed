"""Bad requests of the serving protocols, and JSON texts of images.

The texts are composed, not encoded: most bad JSON cannot come out of an encoder.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.corpus.images import odd_images

SIDE = 28
PIXELS = SIDE * SIDE
CANARY = "c4n4ry"  # sent where a client can send text; no error repeats it
MAX_REQUEST_BYTES = 16 * 2**20
MAX_IMAGES = 1000
DEPTH = 5000
TOO_MUCH = frozenset({400, 413})  # of a request that is both invalid and too large
IMAGE_STATUSES = frozenset({400, 413, 415})  # of a file that is not an image or cannot be used

Header = tuple[str, str]


@dataclass(frozen=True)
class BadRequest:
    """A request that a protocol refuses.

    `statuses` are the correct ones. The error mentions each of `mentions`, which tell the caller
    how to mend the request. `answer_headers` are part of the response.
    """

    name: str
    path: str
    body: bytes = b""
    headers: tuple[Header, ...] = ()
    method: str = "POST"
    statuses: frozenset[int] = frozenset({400})
    mentions: tuple[str, ...] = ()
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    is_chunked: bool = False


# Raw JSON of one pixel that is not a whole number of 0 to 255.
BAD_PIXELS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "null": "null",
    "true": "true",
    "false": "false",
    "digit as string": '"7"',
    "word": f'"{CANARY}"',
    "empty string": '""',
    "object": f'{{"{CANARY}":1}}',
    "empty object": "{}",
    "list": "[7]",
    "empty list": "[]",
    "negative": "-1",
    "256": "256",
    "fraction": "127.5",
    "negative fraction": "-0.25",
    "almost whole": "254.9",
    "2^63": str(2**63),
    "2^64": str(2**64),
    "-2^63": str(-(2**63)),
    "400 digits": "9" * 400,
    "1e308": "1e308",
    "1e400": "1e400",
    "deep": "[" * DEPTH + "]" * DEPTH,
    "leading zeros": "007",
    "hexadecimal": "0x7",
    "nothing": "",
}


def flat(first: str = "0", count: int = PIXELS) -> str:
    """Return the JSON of `count` pixels in one list; `first` is the raw text of the first."""
    return "[" + ",".join([first, *["0"] * (count - 1)]) + "]"


def rows(first: str = "0", height: int = SIDE, width: int = SIDE) -> str:
    """Return the JSON of an image in rows; `first` is the raw text of its first pixel."""
    return "[" + ",".join([flat(first, width), *[flat("0", width)] * (height - 1)]) + "]"


def ragged() -> str:
    """Return the JSON of an image whose last row is shorter than the others."""
    return "[" + ",".join([*[flat("0", SIDE)] * (SIDE - 1), flat("0", SIDE - 1)]) + "]"


def bracketed(inner: str, count: int = 1) -> str:
    """Return JSON in `count` further lists."""
    return "[" * count + inner + "]" * count


def listed(items: Iterable[str]) -> str:
    """Return the JSON list of raw items."""
    return "[" + ",".join(items) + "]"


def json_object(members: Sequence[tuple[str, str | None]]) -> str:
    """Return the JSON object of names and raw values, without those that are None."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in members if text is not None) + "}"


def bad_images() -> dict[str, bytes]:
    """Return files that POST /inference refuses, by name."""
    return {image.name: image.data for image in odd_images() if image.status >= 400}
