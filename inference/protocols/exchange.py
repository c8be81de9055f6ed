"""Exchange: what every protocol makes of a request, and of the outputs of a model."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from inference.errors import MalformedRequestError
from inference.models.version import ModelVersion
from inference.preprocessing.digits import TensorImage
from inference.runtime.outputs import Outputs

JSON, OCTETS, TEXT = b"application/json", b"application/octet-stream", b"text/plain; charset=utf-8"
# Media types of images that were sent as numbers, as the prediction log names them.
JSON_IMAGE, BINARY_IMAGE = "application/json", "application/octet-stream"


class Answer(NamedTuple):
    """A response: its body, media type, further headers and status."""

    body: bytes
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 200


Encode = Callable[[str, ModelVersion, Outputs], Answer]


class Question(NamedTuple):
    """Images for one model, encoded or as tensors, and how to encode its outputs.

    `encode` takes the name that the client used.
    """

    images: Sequence[bytes | TensorImage]
    encode: Encode


def version_header(version: ModelVersion) -> tuple[bytes, bytes]:
    """Return the header that says which version answered."""
    return b"x-model-version", f"{version.name}@{version.version}".encode()


def decode_base64(text: Any) -> bytes:
    """Return the bytes of an image file in base64. Raises MalformedRequestError."""
    if not isinstance(text, str):
        raise MalformedRequestError("An encoded image must be a string in base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # the latter for characters beyond ASCII
        raise MalformedRequestError("An encoded image is not valid base64.") from None
