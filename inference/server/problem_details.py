"""Problem details: errors as application/problem+json (RFC 9457), for ASGI and for the wire."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Send

from inference.errors import ServiceError
from servicekit.request_context import current_request_id

MEDIA_TYPE = "application/problem+json"


def encode_problem(problem: dict[str, Any], request_id: str | None = None) -> bytes:
    """Return the JSON of a problem; its `instance` names the request, by default the current."""
    instance = f"urn:mlops:request:{request_id or current_request_id()}"
    return orjson.dumps({**problem, "instance": instance})


def problem_headers(error: ServiceError) -> list[tuple[bytes, bytes]]:
    """Return the headers that an error's response needs besides its type and length."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b"X-API-Key")]
    if error.retry_after_seconds is None:
        return []
    return [(b"retry-after", b"%d" % error.retry_after_seconds)]


async def send_problem(send: Send, error: ServiceError) -> None:
    """Answer an ASGI request that does not reach an operation."""
    body = encode_problem(error.document())
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *problem_headers(error),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wire_problem(error: ServiceError, request_id: bytes) -> bytes:
    """Return a whole HTTP/1.1 response, for a connection that ends with it."""
    body = encode_problem(error.document(), request_id.decode())
    head = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(body),
        b"x-request-id: " + request_id,
        b"connection: close",
        *[b"%b: %b" % header for header in problem_headers(error)],
    ]
    return b"\r\n".join([*head, b"", body])
