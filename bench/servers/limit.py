"""The limit.

As fast as Python answers this request on this machine, without anything that a service needs
besides.

No routing, no validation, no metrics, no log: the plain form with one part, an 8-bit grey PNG, one
model. Requests that wait anyway are one call of the model: whatever arrived while the loop was
busy; nothing is delayed for it.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
from pyspng import _pyspng_c as spng
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.harness.runtimes import Floats, Pixels, load

JSON = (b"content-type", b"application/json")
LABELS = tuple("0123456789")


def create_app() -> ASGIApp:
    """Return the application for the model file of BENCH_MODEL.

    LiteRT for a .tflite, ONNX Runtime for an .onnx.
    """
    batcher = Batcher(load(Path(os.environ["BENCH_MODEL"]), threads=1))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        if scope["method"] != "POST":
            await _send(send, 200, b'{"status":"ready"}')
            return
        body: bytes = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        image = only_part(scope["headers"], body)
        if image is None:
            await _send(send, 400, b'{"status":400}')
            return
        grey = spng.spng_decode_image_bytes(image, spng.SPNG_FMT_G8)
        probabilities: list[float] = (await batcher(grey)).tolist()
        confidence = max(probabilities)
        label = LABELS[probabilities.index(confidence)]
        answer = {
            "class": label,
            "confidence": confidence,
            "probabilities": dict(zip(LABELS, probabilities, strict=True)),
        }
        await _send(send, 200, orjson.dumps(answer))

    return app


class Batcher:
    """Gathers the images that wait when the loop comes to it, and answers all of them with one
    call.
    """

    def __init__(self, predict: Callable[[Pixels], Floats]) -> None:
        self._predict = predict
        self._waiting: list[tuple[Pixels, asyncio.Future[Floats]]] = []

    def __call__(self, grey: Pixels) -> asyncio.Future[Floats]:
        """Return the future probabilities, float32 of shape (classes,), of one image, uint8 of
        shape (28, 28, 1).
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Floats] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((grey, future))
        return future

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        batch = (
            waiting[0][0][np.newaxis]
            if len(waiting) == 1
            else np.stack([grey for grey, _ in waiting])
        )
        for (_, future), row in zip(waiting, self._predict(batch), strict=True):
            if not future.done():  # its client may have gone
                future.set_result(row)


def only_part(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes | None:
    """Return the content of the one part of a form, or None when it is anything else."""
    for name, value in headers:
        if name == b"content-type":
            boundary = b"--" + value.partition(b"boundary=")[2]
            start, end = body.find(b"\r\n\r\n") + 4, body.find(b"\r\n" + boundary)
            # Found
            return body[start:end] if body.startswith(boundary) and 4 <= start < end else None  # noqa: PLR2004
    return None


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
