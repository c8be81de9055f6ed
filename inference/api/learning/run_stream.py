"""Streams of runs: a line of NDJSON whenever a run changes, until it is over.

A stream takes no thread while it waits: one second later it asks the database again, in a thread of
the event loop's pool. Connexion's threads stay free.
"""

import asyncio
import time
from collections.abc import Callable

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from inference.errors import DatabaseUnavailableError, Document, OverloadedError

POLL_SECONDS = 1.0
MAX_STREAMS = 16  # of a process
MAX_SECONDS = 3600.0
OPEN_STATES = ("QUEUED", "RUNNING")
HEADERS = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]


class RunStreams:
    """Answers GET /runs/{run_id} as a stream. For the thread of one event loop."""

    def __init__(self, read: Callable[[int], Document]) -> None:
        """`read` returns a run; it may block."""
        self._read = read
        self._count = 0

    async def answer(self, run_id: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a run's document now and after each change.

        Ends when the run is over, the client leaves, the service stops, or after MAX_SECONDS. While
        the database does not answer, nothing is sent. Raises OverloadedError and the errors of
        `read`, all of them before the first line.
        """
        if self._count >= MAX_STREAMS:
            raise OverloadedError(
                f"{MAX_STREAMS} clients follow runs already. Ask for the run without a stream."
            )
        self._count += 1
        try:
            document = await run_in_threadpool(self._read, run_id)
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            gone = asyncio.ensure_future(_disconnected(receive))
            try:
                await self._follow(run_id, document, scope, gone, send)
            finally:
                gone.cancel()
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._count -= 1

    async def _follow(
        self,
        run_id: int,
        document: Document,
        scope: Scope,
        gone: "asyncio.Future[None]",
        send: Send,
    ) -> None:
        deadline = time.monotonic() + MAX_SECONDS
        sent = b""
        while True:
            line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
            if line != sent:
                await send({"type": "http.response.body", "body": line, "more_body": True})
                sent = line
            if document["state"] not in OPEN_STATES:
                return
            await asyncio.wait([gone], timeout=POLL_SECONDS)
            if gone.done() or scope.get("is_stopping") or time.monotonic() > deadline:
                return
            try:
                document = await run_in_threadpool(self._read, run_id)
            except DatabaseUnavailableError:
                continue


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
