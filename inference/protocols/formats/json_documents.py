"""JSON documents: the bodies of the protocols, within bounds of what they can cost."""

from typing import Any

import orjson

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.prediction.limits import MAX_IMAGES
from inference.preprocessing.digits import SIDE

# The largest request has each pixel in a list of its own; a record has a name for each.
MAX_LISTS = MAX_IMAGES * (1 + SIDE + SIDE * SIDE) + 100
MAX_COMMAS = MAX_IMAGES * (1 + SIDE + SIDE * SIDE) + 10_000


def parse_object(data: bytes, hint: str = "") -> dict[str, Any]:
    """Return the JSON object of a body in UTF-8; `hint` is a sentence for a body that is not one.

    Raises RequestTooLargeError for more lists or numbers than MAX_IMAGES images have, and
    MalformedRequestError.
    """
    is_large = len(data) > min(MAX_LISTS, MAX_COMMAS)
    if is_large and (data.count(b"[") > MAX_LISTS or data.count(b",") > MAX_COMMAS):
        raise RequestTooLargeError(
            f"One call takes at most {MAX_IMAGES} images of {SIDE * SIDE} numbers. "
            "Send the rest in further calls."
        )
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise MalformedRequestError(
            f"The body is not JSON in UTF-8. NaN and Infinity are not JSON. {hint}".rstrip()
        ) from None
    if not isinstance(document, dict):
        raise MalformedRequestError("The body must be a JSON object.")
    return document


def has_booleans(data: bytes) -> bool:
    """Return whether a JSON document may have true or false. Parsing it takes far longer.

    Both end in "e", which has few occurrences besides in names and in exponents.
    """
    place = data.find(b"e")
    while place >= 0:
        if data.endswith((b"true", b"false"), 0, place + 1):
            return True
        place = data.find(b"e", place + 1)
    return False
