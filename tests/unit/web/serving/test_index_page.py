"""The page of the dashboard in place of Streamlit's index.html."""

import asyncio
import gzip

import pytest

from web.serving.asgi_types import Message
from web.serving.index_page import add_to_page, send_index, without_validators

INDEX = b"<html><body><p></p></body></html>"
PAGE = add_to_page(INDEX, b"<style>a{}</style>")
VALIDATORS = [(b"etag", b'"a"'), (b"last-modified", b"Mon, 01 Jan 2024 00:00:00 GMT")]


def respond(
    media_type: bytes, *parts: bytes, encoding: bytes = b"identity"
) -> tuple[dict[bytes, bytes], bytes]:
    """Return the headers and the body of a response in parts, after the replacement."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        replacing = send_index(send, INDEX, PAGE)
        length = (b"content-length", str(len(b"".join(parts))).encode())
        headers = [
            (b"content-type", media_type),
            (b"content-encoding", encoding),
            length,
            *VALIDATORS,
        ]
        await replacing({"type": "http.response.start", "status": 200, "headers": headers})
        for number, part in enumerate(parts, 1):
            message = {"type": "http.response.body", "body": part}
            await replacing({**message, "more_body": number < len(parts)})

    asyncio.run(run())
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_addition_is_at_the_end_of_the_body() -> None:
    assert PAGE == b"<html><body><p></p><style>a{}</style></body></html>"
    assert add_to_page(b"text", b"<a>") == b"text<a>"


@pytest.mark.parametrize("parts", [(INDEX,), (INDEX[:9], INDEX[9:], b"")])
def test_index_is_replaced_without_the_validators_of_its_file(parts: tuple[bytes, ...]) -> None:
    headers, body = respond(b"text/html; charset=utf-8", *parts)
    assert body == PAGE
    assert headers == {
        b"content-type": b"text/html; charset=utf-8",
        b"content-encoding": b"identity",
        b"content-length": str(len(PAGE)).encode(),
    }


def test_compressed_index_is_replaced_by_the_compressed_page() -> None:
    headers, body = respond(b"text/html", gzip.compress(INDEX), encoding=b"gzip")
    assert gzip.decompress(body) == PAGE
    assert headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize(
    ("media_type", "parts"),
    [(b"text/html", (b"<p>a report",)), (b"text/html", (b"",)), (b"text/plain", (INDEX,))],
)
def test_other_responses_are_unchanged(media_type: bytes, parts: tuple[bytes, ...]) -> None:
    headers, body = respond(media_type, *parts)
    assert body == b"".join(parts)
    assert headers[b"etag"] == b'"a"'
    assert headers[b"content-length"] == str(len(body)).encode()


def test_request_has_no_validators() -> None:
    headers = [(b"if-none-match", b'"a"'), (b"host", b"a"), (b"if-modified-since", b"Mon")]
    scope = without_validators({"path": "/", "headers": headers})
    assert scope == {"path": "/", "headers": [(b"host", b"a")]}
