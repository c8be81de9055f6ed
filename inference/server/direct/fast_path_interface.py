"""Fast path interface: how the gateway hands over requests, and sends the answers."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from starlette.types import Send

from inference.server.direct.multipart import MultipartRequest
from inference.server.direct.tensor_request import TensorRequest
from inference.server.direct.wire_answers import DirectAnswer

JSON, NDJSON = b"application/json", b"application/x-ndjson"

Answer = bytes | AsyncIterator[bytes]

Respond = Callable[[DirectAnswer | None], None]


class FastPath(Protocol):
    """Answers the common requests of the API without its framework."""

    def submit(
        self,
        operation: str,
        request: MultipartRequest,
        body: bytes,
        request_id: str,
        respond: Respond,
    ) -> bool:
        """Take a request of small work, or return False.

        `respond` is called in a later turn of the event loop, with JSON, or with None if the
        application has to answer after all.
        """

    async def answer(
        self, operation: str, request: MultipartRequest, body: bytes, request_id: str
    ) -> Answer | None:
        """Return JSON or lines of NDJSON, or None if the application has to answer."""


class TensorPath(Protocol):
    """Answers the common requests of serving protocols without ASGI."""

    def submit(
        self, request: TensorRequest, body: bytes, request_id: str, respond: Respond
    ) -> bool:
        """Take a request of small work, or return False, as `FastPath` does."""


async def send_answer(send: Send, answer: Answer, request_id: bytes) -> None:
    """Send an answer of the fast path: a whole body, or its pieces as they come."""
    if isinstance(answer, bytes):
        length = (b"content-length", b"%d" % len(answer))
        headers = [(b"content-type", JSON), length, (b"x-request-id", request_id)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return
    headers = [(b"content-type", NDJSON), (b"x-request-id", request_id)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in answer:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
