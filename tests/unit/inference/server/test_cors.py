"""Cross-origin resource sharing: headers of a response, and the answer to a preflight."""

import asyncio

from starlette.types import Message

from inference.server import cors


def start_of(origin: bytes, *, is_preflight: bool = False) -> Message:
    """Return the start of a response that is shared with an origin."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def respond() -> None:
        shared = cors.share(send, origin)
        if is_preflight:
            await cors.send_preflight(shared)
            return
        start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
        await shared(start)
        await shared({"type": "http.response.body", "body": b"c"})

    asyncio.run(respond())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return sent[0]


def test_shared_response_names_the_origin_and_never_credentials() -> None:
    headers = dict(start_of(b"https://a.example")["headers"])
    assert headers == {
        b"a": b"b",
        b"vary": b"origin",
        b"access-control-allow-origin": b"https://a.example",
        b"access-control-expose-headers": (
            b"x-request-id, retry-after, x-model-version, inference-header-content-length"
        ),
    }


def test_response_without_a_trusted_origin_only_varies() -> None:
    assert start_of(b"")["headers"] == [(b"a", b"b"), (b"vary", b"origin")]


def test_preflight_allows_the_methods_and_headers_of_the_api() -> None:
    start = start_of(b"https://a.example", is_preflight=True)
    headers = dict(start["headers"])
    assert start["status"] == 204
    assert headers[b"access-control-allow-origin"] == b"https://a.example"
    assert {b"GET", b"POST", b"PUT"} < set(headers[b"access-control-allow-methods"].split(b", "))
    allowed = set(headers[b"access-control-allow-headers"].split(b", "))
    assert allowed >= {b"content-type", b"x-api-key", b"x-request-id"}
