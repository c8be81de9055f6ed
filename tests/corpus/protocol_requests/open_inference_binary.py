"""Bad requests of the Open Inference Protocol with binary tensors."""

import gzip
import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tests.conftest import digit_png
from tests.corpus.protocol_requests.message import (
    CANARY,
    DEPTH,
    IMAGE_STATUSES,
    MAX_IMAGES,
    MAX_REQUEST_BYTES,
    PIXELS,
    TOO_MUCH,
    BadRequest,
    Header,
    bad_images,
)
from tests.support.protocol_images import DTYPES

HEADER = "Inference-Header-Content-Length"
FLOATS = ("FP16", "FP32", "FP64")
HEADER_LENGTHS = {
    "negative": "-1",
    "negative zero": "-0",
    "with a sign": "+100",
    "above the body": "100000",
    "of 400 digits": "9" * 400,
    "hexadecimal": "0x64",
    "with an exponent": "1e2",
    "a fraction": "100.0",
    "a word": CANARY,
    "empty": "",
    "two numbers": "100, 100",
    "superscript": "\u00b2",
    "inside the JSON": "20",
    "one": "1",
}
SIZES: Mapping[str, Any] = {
    "negative": -1,
    "zero": 0,
    "one less": PIXELS - 1,
    "one more": PIXELS + 1,
    "2^63": 2**63,
    "2^64 + 784": 2**64 + PIXELS,
    "a float": float(PIXELS),
    "a string": str(PIXELS),
    "true": True,
    "null": None,
    "a list": [PIXELS],
}
SHAPES: Mapping[str, Any] = {
    "negative": [-1, 28, 28],
    "two negatives": [-1, -28, 28],
    "zero": [0, 28, 28],
    "zero and 2^62": [0, 2**62],
    "2^62 x 784": [2**62, 784],
    "2^64 + 1": [2**64 + 1, 28, 28],
    "two images": [2, 28, 28],
    "float": [1.0, 28, 28],
    "bool": [True, 28, 28],
    "string": ["1", 28, 28],
    "null": None,
    "empty": [],
    "of one dimension": [PIXELS],
    "of five dimensions": [1, 1, 28, 28, 1],
    "of a hundred dimensions": [1] * 98 + [28, 28],
    "of other sides": [1, 14, 56],
    "transposed": [28, 28, 1],
    "of another order": [28, 1, 28],
}


@dataclass(frozen=True)
class BinaryInfer:
    """An inference request with one binary tensor.

    `claims` are the members of the input that differ from the tensor's own, and `members` further
    ones of the request. `header_length` replaces the true one.
    """

    path: str
    datatype: str = "UINT8"
    data: bytes = bytes(PIXELS)
    claims: Mapping[str, Any] = field(default_factory=dict)
    size: Any = ...
    members: Mapping[str, Any] = field(default_factory=dict)
    header_length: str | None = None
    tail: bytes = b""

    @property
    def head(self) -> bytes:
        """Its JSON."""
        size = len(self.data) if self.size is ... else self.size
        own = {"name": "image", "datatype": self.datatype, "shape": [1, 28, 28]}
        parameters = {"parameters": {"binary_data_size": size}}
        document = {"id": CANARY, "inputs": [{**own, **parameters, **self.claims}], **self.members}
        return json.dumps(document).encode()

    @property
    def headers(self) -> tuple[Header, ...]:
        """Its headers."""
        length = str(len(self.head)) if self.header_length is None else self.header_length
        return ((HEADER, length),)

    @property
    def body(self) -> bytes:
        """Its JSON and the tensor."""
        return self.head + self.data + self.tail

    def bad(self, name: str, *mentions: str, status: int = 400) -> BadRequest:
        """Return it as a bad request."""
        statuses = frozenset({status})
        return BadRequest(
            name, self.path, self.body, self.headers, statuses=statuses, mentions=mentions
        )


def bad_requests(model: str) -> list[BadRequest]:
    """Return bad requests for a model."""
    good = BinaryInfer(f"/v2/models/{model}/infer")
    return [
        *_lengths(good),
        *_claims(good),
        *_values(good),
        *_images(good),
        *_outputs(good),
        *_encodings(good),
    ]


def bytes_elements(*elements: bytes) -> bytes:
    """Return elements of BYTES, each behind its length."""
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def _lengths(good: BinaryInfer) -> Iterator[BadRequest]:
    for name, text in HEADER_LENGTHS.items():
        yield replace(good, header_length=text).bad(f"header {name}")
    for delta in (-1, 1, PIXELS):
        changed = replace(good, header_length=str(len(good.head) + delta))
        yield changed.bad(f"header {delta:+}")
    missing = BadRequest("header missing", good.path, good.body, mentions=(HEADER,))
    yield missing
    yield replace(missing, name="header missing with octets", headers=_OCTETS)
    twice = good.bad("two headers")
    yield replace(twice, headers=(*twice.headers, (HEADER, "20")))
    empty = replace(missing, name="header 0 without a tensor", body=b"", mentions=())
    for length in (0, 1, PIXELS - 1, PIXELS + 1, 2 * PIXELS, 4 * PIXELS):
        name = f"header 0 with {length} bytes"
        yield replace(empty, name=name, body=bytes(length), headers=((HEADER, "0"), *_OCTETS))
    for name, size in SIZES.items():
        yield replace(good, size=size).bad(f"size {name}")
    for tail in (b"\0", bytes(PIXELS), b"{}"):
        yield replace(good, tail=tail).bad(f"{len(tail)} bytes behind the tensor")
    for length in (0, 1, PIXELS - 1):
        yield replace(good, data=bytes(length), size=PIXELS).bad(f"{length} bytes of 784")
        yield replace(good, data=bytes(length)).bad(f"{length} bytes for a shape of 784")
    yield replace(good, members={"x": "y" * MAX_REQUEST_BYTES}).bad("large JSON", status=413)
    head = b"[" * DEPTH + b"]" * DEPTH
    deep = replace(missing, name="nested JSON", body=head + bytes(PIXELS), mentions=())
    yield replace(deep, headers=((HEADER, str(len(head))),))
    yield replace(deep, name="array as JSON", body=b"[]" + bytes(PIXELS), headers=((HEADER, "2"),))


_OCTETS: tuple[Header, ...] = (("Content-Type", "application/octet-stream"),)


def _claims(good: BinaryInfer) -> Iterator[BadRequest]:
    for name, shape in SHAPES.items():
        request = replace(good, claims={"shape": shape}).bad(f"shape {name}")
        yield replace(request, statuses=TOO_MUCH) if name == "2^62 x 784" else request
    for unknown in ("BOOL", "BF16", "uint8", CANARY, "", 1, None):
        yield replace(good, claims={"datatype": unknown}).bad(f"datatype {unknown}")
    for datatype, dtype in DTYPES.items():
        if np.dtype(dtype).itemsize > 1:
            yield replace(good, datatype=datatype).bad(f"{datatype} of 784 bytes")
    for own in (CANARY, "", None, 1):
        yield replace(good, claims={"name": own}).bad(f"input name {own}", "image")
    yield replace(good, claims={"data": [0] * PIXELS}).bad("binary data and data")
    yield replace(good, claims={"parameters": None}).bad("binary data that nothing claims")
    yield replace(good, claims={"parameters": []}).bad("parameters as a list")
    first = json.loads(good.head)["inputs"][0]
    for second in (first, {**first, "name": CANARY}, {"name": CANARY}, None):
        changed = replace(good, members={"inputs": [first, second]}, tail=bytes(PIXELS))
        yield changed.bad(f"second input {str(second)[:40]}")
    yield replace(good, members={"inputs": []}).bad("no input")
    images = MAX_IMAGES + 1
    many = replace(good, data=bytes(images * PIXELS), claims={"shape": [images, 28, 28]})
    yield many.bad("1,001 images", status=413)
    yield replace(good, data=b"", claims={"shape": [0, 28, 28]}).bad("no image")


def _values(good: BinaryInfer) -> Iterator[BadRequest]:
    for datatype, dtype in DTYPES.items():
        for value in _bad_values(dtype):
            pixels = np.zeros(PIXELS, dtype)
            pixels[-1] = value
            changed = replace(good, datatype=datatype, data=pixels.tobytes())
            yield changed.bad(f"{datatype} {value}", *(("255",) if value == 0.5 else ()))
    for datatype in FLOATS:
        for value in (-1.0, 1.01, 2.0, 0.5, 255.0, np.nan, np.inf, -np.inf):
            data = np.full(PIXELS, value, DTYPES[datatype]).tobytes()
            parameters = {"binary_data_size": len(data), "scale": 255}
            changed = replace(good, datatype=datatype, data=data, claims={"parameters": parameters})
            yield changed.bad(f"{datatype} scaled {value:g}")
    scales: list[Any] = ["255", True, [255], {}, 0, -255]
    for scale in scales:
        parameters = {"binary_data_size": PIXELS, "scale": scale}
        yield replace(good, claims={"parameters": parameters}).bad(f"scale {scale!r}")


def _bad_values(dtype: str) -> list[float]:
    """Return values of a type that are not whole numbers of 0 to 255."""
    if np.dtype(dtype).kind == "f":
        smallest = float(np.finfo(dtype).smallest_subnormal)
        whole = [-1.0, 256.0, float(np.finfo(dtype).max)]
        return [*whole, math.nan, math.inf, -math.inf, 0.5, 127.5, -0.25, 254.75, 255.5, smallest]
    limits = np.iinfo(dtype)
    values = {-1, 256, int(limits.min), int(limits.max)}
    return [
        value
        for value in sorted(values)
        if limits.min <= value <= limits.max and not 0 <= value <= 255
    ]


def _images(good: BinaryInfer) -> Iterator[BadRequest]:
    image = digit_png("7")
    element = bytes_elements(image)
    contents = {
        "a cut length": element[:3],
        "a cut element": element[:-1],
        "bytes behind": element + b"\0",
        "a length of 4 GB": b"\xff\xff\xff\xff" + image,
        "two elements": element + element,
        "no element": b"",
        "no length": image,
    }
    base = replace(good, datatype="BYTES", claims={"shape": [1]})
    for name, data in contents.items():
        yield replace(base, data=data).bad(f"BYTES of {name}")
    for name, content in bad_images().items():
        refused = replace(base, data=bytes_elements(content)).bad(f"BYTES: {name}")
        yield replace(refused, statuses=IMAGE_STATUSES)
    for shape in ([2], [0], [-1], [1, 28, 28], []):
        changed = replace(base, data=element, claims={"shape": shape})
        yield changed.bad(f"BYTES of shape {shape}")
    large = replace(base, data=element, claims={"shape": [2**62]})
    yield replace(large.bad("BYTES of shape 2^62"), statuses=TOO_MUCH)


def _outputs(good: BinaryInfer) -> Iterator[BadRequest]:
    counts: list[Any] = [-1, "3", 1.5, True, [3], {}]
    for value in counts:
        output = {"name": "probabilities", "parameters": {"classification": value}}
        yield replace(good, members={"outputs": [output]}).bad(f"classification {value!r}")
    unknown: list[Any] = [[{"name": CANARY}], CANARY, [1], [None], [[]]]
    for outputs in unknown:
        changed = replace(good, members={"outputs": outputs})
        yield changed.bad(f"outputs {json.dumps(outputs)}")


def _encodings(good: BinaryInfer) -> Iterator[BadRequest]:
    body = gzip.compress(good.body)
    encoding = ("Content-Encoding", "gzip")
    cut = replace(good.bad("gzip: truncated"), headers=(*good.headers, encoding))
    yield replace(cut, body=body[: len(body) // 2])
    # The header counts decompressed bytes.
    length = (HEADER, str(len(body)))
    yield replace(cut, name="gzip: compressed length", body=body, headers=(length, encoding))
