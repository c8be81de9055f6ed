"""Cross-origin resource sharing: lets pages of trusted origins read responses (Fetch standard)."""

from starlette.types import Message, Send

# A cache must not give a page the response to another one.
VARY = (b"vary", b"origin")
EXPOSED = b"x-request-id, retry-after, x-model-version, inference-header-content-length"
PREFLIGHT_HEADERS = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT"),
    (
        b"access-control-allow-headers",
        b"accept, content-type, inference-header-content-length, x-api-key, x-request-id",
    ),
    (b"access-control-max-age", b"600"),
]


def share(send: Send, origin: bytes) -> Send:
    """Return a `send` that shares the response with an origin; an empty one shares it with none.

    A response never allows credentials: the API knows no cookies, and a page sends X-API-Key
    itself.
    """
    headers = [VARY]
    if origin:
        headers.append((b"access-control-allow-origin", origin))
        headers.append((b"access-control-expose-headers", EXPOSED))

    async def send_shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *headers]
        await send(message)

    return send_shared


async def send_preflight(send: Send) -> None:
    """Answer a browser's question whether a page of a trusted origin may send its request."""
    await send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT_HEADERS})
    await send({"type": "http.response.body", "body": b""})
