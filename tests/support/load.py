"""Load generator: steady POST /inference over kept-alive connections, each request with its own id.

It runs in a thread with an event loop of its own, on the libraries of the service. A connection
sends at a steady rate. The time of an answer counts from when its request was due, so a request
delayed by a slow one before it is slow as well.
"""

import asyncio
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import httptools
import numpy as np
import uvloop

from tests.corpus.http_requests.message import BOUNDARY, INFERENCE, form, part

PATIENCE_SECONDS = 30.0
RECONNECT_SECONDS = 0.05
BROKEN = 0  # the status of a request without an answer


class Question(NamedTuple):
    """A request without its id: the model, the number of the image, and the bytes after the id."""

    model: str
    image: int
    rest: bytes


class Answer(NamedTuple):
    """The outcome of a request; times are of time.monotonic(), in seconds."""

    request_id: str
    question: Question
    due: float
    sent: float
    received: float
    status: int
    retry_after: str
    body: bytes
    client: int  # the port of the connection, 0 if there was none

    @property
    def seconds(self) -> float:
        """The seconds from when the request was due to its answer."""
        return self.received - self.due


def make_questions(models: Collection[str], images: Sequence[bytes]) -> list[Question]:
    """Return a question for each image of each model."""
    result = []
    for model in models:
        for number, image in enumerate(images):
            body = form(part("image_blob", image))
            head = (
                f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            result.append(Question(model, number, head.encode() + body))
    return result


class Load:
    """Sends requests while its context is open.

    All connections together send `per_second` requests; with None, each sends the next as soon as
    it has an answer. `take` gets every answer, in the load's thread. Without it, `answers` keeps
    them.
    """

    def __init__(
        self,
        port: int,
        questions: Sequence[Question],
        connections: int,
        per_second: float | None,
        take: Callable[[Answer], None] | None = None,
    ) -> None:
        self._port = port
        self._questions = questions
        self._connections = connections
        self._interval_seconds = None if per_second is None else connections / per_second
        self.answers: list[Answer] = []
        self._take = take or self.answers.append
        self._numbers = itertools.count()
        self._name = secrets.token_hex(6)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="load")

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and wait for pending answers."""
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*[self._client(number) for number in range(self._connections)])

    async def _client(self, number: int) -> None:
        due = time.monotonic() + (self._interval_seconds or 0) * number / self._connections
        connection: _Connection | None = None
        while not self._stopping.is_set():
            due = due + self._interval_seconds if self._interval_seconds else time.monotonic()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            connection = await self._ask(connection, due)
            if connection is None:
                await asyncio.sleep(RECONNECT_SECONDS)
        if connection is not None:
            connection.transport.close()

    async def _ask(self, connection: "_Connection | None", due: float) -> "_Connection | None":
        """Send one request; return the connection if it can be used again."""
        number = next(self._numbers)
        question, request_id = (
            self._questions[number % len(self._questions)],
            f"{self._name}-{number}",
        )
        client, sent, loop = 0, time.monotonic(), asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if connection is None or connection.transport.is_closing():
                    _, connection = await loop.create_connection(
                        _Connection, "127.0.0.1", self._port
                    )
                client = connection.transport.get_extra_info("sockname")[1]
                sent = time.monotonic()
                status, retry_after, body = await connection.ask(question, request_id)
        except (OSError, httptools.HttpParserError) as error:  # a timeout is an OSError
            if connection is not None:
                connection.transport.abort()
            status, retry_after, body, connection = BROKEN, "", repr(error).encode(), None
        self._take(
            Answer(
                request_id, question, due, sent, time.monotonic(), status, retry_after, body, client
            )
        )
        return connection


class _Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    transport: asyncio.Transport

    # as in asyncio's own examples
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._answered: asyncio.Future[tuple[int, str, bytes]] | None = None

    def ask(self, question: Question, request_id: str) -> "asyncio.Future[tuple[int, str, bytes]]":
        self._answered = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after, self._body = "", b""
        head = (
            f"POST {INFERENCE}?experiment_name={question.model} HTTP/1.1\r\n"
            f"Host: localhost\r\nX-Request-Id: {request_id}\r\n"
        )
        self.transport.write(head.encode() + question.rest)
        return self._answered

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.transport.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(
                (self._parser.get_status_code(), self._retry_after, self._body)
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(
            exc if isinstance(exc, OSError) else ConnectionResetError("closed without an answer")
        )

    def _fail(self, error: Exception) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)


def p99(answers: Sequence[Answer]) -> float:
    """Return the 99th percentile of the answers' times, in seconds."""
    return float(np.percentile([answer.seconds for answer in answers], 99))


def between(answers: Sequence[Answer], start: float, end: float) -> list[Answer]:
    """Return the answers to requests due between two times."""
    return [answer for answer in answers if start <= answer.due < end]


def statuses(answers: Sequence[Answer]) -> dict[int, int]:
    """Return the number of answers by status."""
    found = [answer.status for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}
