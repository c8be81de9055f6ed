"""Requests with images as JSON."""

import json
from collections.abc import Iterator

from tests.corpus.http_requests.message import INFERENCE, JSON, PREDICTIONS, Request, post


def arrays() -> Iterator[Request]:
    """Images as JSON."""
    blank = [[0] * 28 for _ in range(28)]
    one = [
        [255 if column == 14 and 4 < row < 24 else 0 for column in range(28)] for row in range(28)
    ]
    whole = json.dumps({"images": [one]}).encode()

    def with_pixel(value: object) -> bytes:
        rows = [list(row) for row in one]
        rows[17][5] = value  # type: ignore[call-overload]
        return json.dumps({"images": [one, rows]}).encode()

    bodies: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "one image": (whole, (200,)),
        "two images": (json.dumps({"images": [one, blank]}).encode(), (200,)),
        "spaces": (b" \n" + json.dumps({"images": [one]}, indent=1).encode() + b"\n", (200,)),
        "no image": (b'{"images": []}', (400, 422)),
        "no images": (b"{}", (400, 422)),
        "a number instead": (b'{"images": 7}', (400, 422)),
        "null": (b'{"images": null}', (400, 422)),
        "a text instead": (b'{"images": "iVBORw0KGgo="}', (400, 422)),
        "a list": (b"[]", (400, 422)),
        "more": (whole[:-1] + b', "more": 1}', (400, 422)),
        "images twice": (whole[:-1] + b', "images": []}', (200, 400, 422)),
        "NaN": (with_pixel(float("nan")), (400, 422)),
        "Infinity": (with_pixel(float("inf")), (400, 422)),
        "256": (with_pixel(256), (422,)),
        "-1": (with_pixel(-1), (422,)),
        "true": (with_pixel(value=True), (422,)),
        "0.5": (with_pixel(0.5), (422,)),
        "1.0": (with_pixel(1.0), (200, 422)),
        "a text": (with_pixel("7"), (422,)),
        "null pixel": (with_pixel(None), (422,)),
        "a list as pixel": (with_pixel([1]), (422,)),
        "a number of 5000 digits": (
            with_pixel(7).replace(b" 7,", b" " + b"9" * 5000 + b","),
            (400, 422),
        ),
        "1e400": (with_pixel(7).replace(b" 7,", b" 1e400,"), (400, 422)),
        "27 rows": (json.dumps({"images": [one[1:]]}).encode(), (422,)),
        "29 columns": (json.dumps({"images": [[[*row, 0] for row in one]]}).encode(), (422,)),
        "one row of another length": (json.dumps({"images": [[[0], *one[1:]]]}).encode(), (422,)),
        "a flat image": (
            json.dumps({"images": [[pixel for row in one for pixel in row]]}).encode(),
            (422,),
        ),
        "one image without its list": (json.dumps({"images": one}).encode(), (422,)),
        "1001 images": (
            json.dumps({"images": [blank] * 1001}, separators=(",", ":")).encode(),
            (413,),
        ),
        "20,000 deep": (b'{"images": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", (400, 422)),
        "100,000 deep": (b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", (413,)),
        "cut short": (whole[:-5], (400,)),
        "two documents": (whole + whole, (400,)),
        "empty": (b"", (400,)),
        "text": (b"hello", (400,)),
        "UTF-16": (whole.decode().encode("utf-16"), (400, 422)),
        "a byte order mark": (b"\xef\xbb\xbf" + whole, (200, 400)),
        "bytes that are not UTF-8": (b'{"images": "\xff"}', (400, 422)),
        "a lone surrogate": (b'{"images": "\\ud800"}', (400, 422)),
    }
    for name, (body, statuses) in bodies.items():
        yield post(f"JSON: {name}", PREDICTIONS, body, *statuses, content_type=JSON)
    for name, content_type in {
        "a charset": JSON + b"; charset=utf-8",
        "capitals": b"Application/JSON",
        "a suffix": b"a/b+json",
    }.items():
        yield post(f"JSON: type with {name}", PREDICTIONS, whole, content_type=content_type)
    yield post("JSON: to the other operation", INFERENCE, whole, 415, content_type=JSON)
