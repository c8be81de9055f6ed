"""Limit server: the fastest response that Python achieves here, without the features of a service.

It has no routing, validation, metrics or log. It accepts only a form with one part, an 8-bit
grayscale PNG, for one model. Requests that arrive while the event loop is busy become one batch,
without added delay.
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
    """Return the application for the model file in BENCH_MODEL.

    It uses LiteRT for a .tflite file and ONNX Runtime for an .onnx file.
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
        image = parse_single_part(scope["headers"], body)
        if image is None:
            await _send(send, 400, b'{"status":400}')
            return
        gray = spng.spng_decode_image_bytes(image, spng.SPNG_FMT_G8)
        probabilities: list[float] = (await batcher(gray)).tolist()
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
    """Runs all images that wait for the event loop as one batch."""

    def __init__(self, predict: Callable[[Pixels], Floats]) -> None:
        self._predict = predict
        self._waiting: list[tuple[Pixels, asyncio.Future[Floats]]] = []

    def __call__(self, gray: Pixels) -> asyncio.Future[Floats]:
        """Return a future with the probabilities, float32 (classes,), of one image.

        The image is uint8 (28, 28, 1).
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Floats] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._run_batch)
        self._waiting.append((gray, future))
        return future

    def _run_batch(self) -> None:
        waiting, self._waiting = self._waiting, []
        batch = (
            waiting[0][0][np.newaxis]
            if len(waiting) == 1
            else np.stack([gray for gray, _ in waiting])
        )
        for (_, future), row in zip(waiting, self._predict(batch), strict=True):
            if not future.done():  # the client may have disconnected
                future.set_result(row)


def parse_single_part(headers: list[tuple[bytes, bytes]], body: bytes) -> bytes | None:
    """Return the content of a form with one part, or None for anything else."""
    for name, value in headers:
        if name == b"content-type":
            boundary = b"--" + value.partition(b"boundary=")[2]
            start, end = body.find(b"\r\n\r\n") + 4, body.find(b"\r\n" + boundary)
            is_found = body.startswith(boundary) and 4 <= start < end  # noqa: PLR2004
            return body[start:end] if is_found else None
    return None


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
