"""Tensor requests: the usual form is read, anything unusual is left to the application."""

import pytest

from inference.server.direct.tensor_request import MAX_JSON_BYTES, TensorRequest
from inference.server.request_head import Headers, RequestHead

URL = b"/v2/models/a/infer"
USUAL = [(b"host", b"x"), (b"inference-header-content-length", b"50"), (b"content-length", b"90")]


def parse(headers: Headers, url: bytes = URL) -> TensorRequest | None:
    return TensorRequest.of(RequestHead.parse(headers), url, 100)


@pytest.mark.parametrize(
    ("url", "name", "pinned"),
    [
        (URL, "a", "a"),
        (b"/v2/models/a/versions/3/infer", "a", "a@3"),
        (b"/v2/models/mnist%40champion/infer", "mnist@champion", "mnist@champion"),
    ],
)
def test_usual_request_is_read(url: bytes, name: str, pinned: str) -> None:
    request = parse([*USUAL, (b"content-type", b"application/octet-stream")], url)
    assert request is not None
    assert (request.is_infer, request.name, request.pinned_name) == (True, name, pinned)
    assert (request.length, request.json_length) == (90, 50)


@pytest.mark.parametrize(
    ("url", "is_infer", "pinned"),
    [
        (URL, True, "a"),
        (b"/v1/models/a:predict", False, "a"),
        (b"/v1/models/a/versions/3:predict", False, "a@3"),
        (b"/v1/models/mnist%40champion:predict", False, "mnist@champion"),
    ],
)
def test_json_is_read_whatever_its_type(url: bytes, *, is_infer: bool, pinned: str) -> None:
    for content_type in (b"application/json", b"application/x-www-form-urlencoded"):
        request = parse([USUAL[0], USUAL[2], (b"content-type", content_type)], url)
        assert request is not None
        assert (request.is_infer, request.pinned_name) == (is_infer, pinned)
        assert (request.length, request.json_length) == (90, 0)


@pytest.mark.parametrize(
    "url",
    [
        b"/v2/models/a/infer?x=1",
        b"/v2/models/a/versions/x/infer",
        b"/v2/models/a%0a/infer",
        b"/v2/models/a/ready",
        b"/v1/models/a:predict",
        b"/v1/models/a:classify",
        b"/api/v1.0/inference",
        b"/v2/models/" + b"a" * 600 + b"/infer",
    ],
)
def test_unusual_url_is_left(url: bytes) -> None:
    assert parse(USUAL, url) is None


@pytest.mark.parametrize(
    "headers",
    [
        USUAL[:2],
        [*USUAL, USUAL[1]],
        [*USUAL, (b"content-encoding", b"gzip")],
        [USUAL[0], (b"content-length", b"0")],
        [USUAL[0], (b"content-length", b"101")],
        [*USUAL, (b"authorization", b"Basic x")],
        [USUAL[0], (b"inference-header-content-length", b"0"), USUAL[2]],
        [USUAL[0], (b"inference-header-content-length", b"-5"), USUAL[2]],
        [USUAL[0], (b"inference-header-content-length", b"91"), USUAL[2]],
        [*USUAL[:2], (b"content-length", b"101")],
        [*USUAL[:2], (b"content-length", b"9" * 10)],
    ],
)
def test_unusual_head_is_left(headers: Headers) -> None:
    assert parse(headers) is None


def test_large_json_is_left() -> None:
    head = RequestHead.parse([(b"content-length", b"%d" % (MAX_JSON_BYTES + 1))])
    assert TensorRequest.of(head, URL, 10 * MAX_JSON_BYTES) is None
