"""The fast lane: answers the hot, well-formed request before Connexion sees it, and nothing else.

Connexion costs milliseconds of CPU for a request whose work takes twenty microseconds. This layer takes POST /inference and
POST /predictions as clients send them (plain multipart, known names, harmless headers) and hands everything unusual on,
untouched: Connexion stays the reference, and the only place that refuses a request. Below HTTP both call the same `Predictor`, and
a test sends the same good, odd and hostile requests through both.
"""

import asyncio
import functools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference import image
from inference.engine import Network
from inference.errors import ServiceError
from inference.image import Pixels
from inference.metrics import Metrics
from inference.predictions import MAX_ANSWERS, MAX_IMAGES, Document, Panel, Predictor, Seat, Vacancy, document, milliseconds_since
from inference.requests import BASE_PATH

# Headers that change no answer.
HARMLESS_HEADERS = frozenset(
    b"accept-encoding accept-language cache-control connection cookie dnt host origin pragma priority referer sec-ch-ua"
    b" sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site traceparent tracestate user-agent via"
    b" x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip x-request-id".split()
)
CONTENT_TYPE = re.compile(rb"multipart/form-data; ?boundary=([0-9A-Za-z_-]{1,70})")
PART_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([a-z_]+)"; filename="[0-9A-Za-z_. ()-]{1,255}"'
    rb"(?:\r\nContent-Type: [a-z]+/[0-9a-z.+-]+)?"
)
# Names and values that need no decoding.
QUERY = re.compile(rb"[a-z_]+=[0-9A-Za-z_.@-]+(?:&[a-z_]+=[0-9A-Za-z_.@-]+)*")
MAX_QUERY_BYTES = 8192
BOOLEANS = {"true": True, "false": False}
JSON, NDJSON = b"application/json", b"application/x-ndjson"
ACCEPTED = {b"*/*": JSON, JSON: JSON, NDJSON: NDJSON}
# Work up to this long is done at once, on the loop: a thread would wait for the interpreter's lock after every call of a model.
INLINE_SECONDS = 0.01
# A larger picture is for a thread: bringing it to 28x28 takes longer than all the rest.
INLINE_PIXELS = 128 * 128


@dataclass(slots=True)
class _Call:
    """A request that may be answered here, what was read of it so far, and what its answer has to be."""

    query: dict[str, list[str]]
    accept: bytes
    boundary: bytes
    length: bytes
    receive: Receive
    send: Send
    started: float
    messages: list[Message]
    is_begun: bool = False

    async def files(self, field: bytes) -> list[bytes] | None:
        """Read the body: the files of a form that holds nothing but files of this field, or None for any other body."""
        while True:
            message = await self.receive()
            self.messages.append(message)
            if message["type"] != "http.request":
                return None
            if not message.get("more_body", False):
                break
        body = b"".join([message.get("body", b"") for message in self.messages])
        pieces = (b"\r\n" + body).split(b"\r\n--" + self.boundary)
        if pieces[0] or pieces[-1] != b"--\r\n" or body.count(b"--" + self.boundary) != len(pieces) - 1:
            return None
        if self.length != b"%d" % len(body):
            return None
        files = []
        for piece in pieces[1:-1]:
            head, _, data = piece.partition(b"\r\n\r\n")
            matched = PART_HEAD.fullmatch(head)
            if matched is None or matched[1] != field:
                return None
            files.append(data)
        return files or None

    async def again(self) -> Message:
        """Receive what was read once more, and then what comes."""
        return self.messages.pop(0) if self.messages else await self.receive()

    async def answer(self, body: bytes) -> None:
        """Send a whole answer."""
        await self.begin([(b"content-type", JSON), (b"content-length", b"%d" % len(body))])
        await self.send({"type": "http.response.body", "body": body})

    async def begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head of an answer, after which the request can no longer be passed on."""
        self.is_begun = True
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})


class FastLane:
    """Wraps the ASGI application whose hot requests it answers."""

    def __init__(self, app: ASGIApp, predictor: Predictor, metrics: Metrics) -> None:
        self._app = app
        self._predictor = predictor
        self._metrics = metrics
        self._operations = {f"{BASE_PATH}/inference": self._infer, f"{BASE_PATH}/predictions": self._predict}
        self._waiting: dict[Network, list[_Waiting]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on as it came."""
        operation = self._operations.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        call = _recognised(scope, receive, send) if operation is not None else None
        if operation is None or call is None:
            await self._app(scope, receive, send)
            return
        try:
            is_answered = await operation(call)
        except Exception:  # whatever it is: Connexion meets it again, and knows how to say it
            if call.is_begun:
                raise
            is_answered = False
        if is_answered:
            self._metrics.fast_lane_requests.inc()
        else:
            await self._app(scope, call.again, send)

    async def _infer(self, call: _Call) -> bool:
        names = call.query.get("experiment_name", [])
        if len(names) != 1 or len(call.query) > 1:
            return False
        seat = self._predictor.seat(names[0], loaded=True)  # the loop reads no files
        files = await call.files(b"image_blob")
        if files is None or len(files) != 1:
            return False
        pixels = self._plain(files[0])
        if pixels is None:
            return False
        digest = image.digest(pixels)
        answer = await self._batched(seat, pixels, digest)
        if isinstance(answer, ServiceError):
            return False
        await call.answer(orjson.dumps({**answer, "image_digest": digest, "milliseconds": milliseconds_since(call.started)}))
        return True

    async def _predict(self, call: _Call) -> bool:
        names, views = call.query.get("experiments", ["all"]), call.query.get("view", ["false"])
        if len(views) != 1 or views[0] not in BOOLEANS or call.query.keys() - {"experiments", "view"}:
            return False
        view = BOOLEANS[views[0]]
        panel = self._predictor.panel(names, loaded=True)
        if any(isinstance(place, Vacancy) for place in panel.places):
            return False
        files = await call.files(b"images")
        if files is None or len(files) > MAX_IMAGES or len(files) * len(panel.places) > MAX_ANSWERS:
            return False
        if call.accept == NDJSON:
            await self._stream(call, panel, files, view=view)
        elif len(files) == 1 and panel.seconds_per_image <= INLINE_SECONDS and (pixels := self._plain(files[0])) is not None:
            await call.answer(document(self._predictor.chunk(panel, [pixels], lambda shown: shown, 0, view), call.started))
        else:
            entries: list[bytes] = []
            for chunk in self._predictor.chunks(panel, files, self._predictor.read, view=view):
                done: list[bytes] = await asyncio.wrap_future(chunk)
                entries += done
            await call.answer(document(entries, call.started))
        return True

    async def _stream(self, call: _Call, panel: Panel, files: Sequence[bytes], *, view: bool) -> None:
        await call.begin([(b"content-type", NDJSON)])
        for chunk in self._predictor.chunks(panel, files, self._predictor.read, view=view):
            lines = b"\n".join([*await asyncio.wrap_future(chunk), b""])
            await call.send({"type": "http.response.body", "body": lines, "more_body": True})
        await call.send({"type": "http.response.body", "body": b""})

    def _plain(self, data: bytes) -> Pixels | None:
        """Return the canonical pixels of a small plain PNG, None for any other image."""
        if len(data) > self._predictor.max_image_bytes:
            return None
        pixels = image.plain_png(data)
        return None if pixels is None or pixels.size > INLINE_PIXELS else image.frame(pixels)

    async def _batched(self, seat: Seat, pixels: Pixels, digest: str) -> Document | ServiceError:
        """Return a model's answer. Whatever came for it in the same turn of the loop is one batch, which the first to come runs."""
        batch = self._waiting.get(seat.network)
        if batch is not None:
            waiting = _Waiting(pixels, digest, asyncio.get_running_loop().create_future())
            batch.append(waiting)
            return await waiting.answer
        others = self._waiting[seat.network] = []
        try:
            try:
                await asyncio.sleep(0)
            finally:
                del self._waiting[seat.network]
            answers = await self._answers(
                seat, [pixels, *(waiting.pixels for waiting in others)], [digest, *(waiting.digest for waiting in others)]
            )
        except BaseException as error:
            for waiting in others:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            raise
        for waiting, answer in zip(others, answers[1:], strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
        return answers[0]

    async def _answers(self, seat: Seat, pixels: list[Pixels], digests: list[str]) -> list[Document | ServiceError]:
        if seat.network.seconds_per_image * len(pixels) <= INLINE_SECONDS:
            return self._predictor.answers(seat, pixels, digests)
        return await asyncio.wrap_future(self._predictor.submit(self._predictor.answers, seat, pixels, digests))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An image whose answer somebody waits for."""

    pixels: Pixels
    digest: str
    answer: asyncio.Future[Document | ServiceError]


def _recognised(scope: Scope, receive: Receive, send: Send) -> _Call | None:
    """Return a request whose head has nothing unusual, else None."""
    boundary = accept = length = None
    for name, value in scope["headers"]:
        if name == b"content-type" and boundary is None:
            matched = CONTENT_TYPE.fullmatch(value)
            if matched is None:
                return None
            boundary = matched[1]
        elif name == b"content-length" and length is None:
            length = value
        elif name == b"accept" and accept is None:
            accept = ACCEPTED.get(value)
            if accept is None:
                return None
        elif name not in HARMLESS_HEADERS:
            return None
    query = _parsed(scope["query_string"]) if len(scope["query_string"]) <= MAX_QUERY_BYTES else None
    if boundary is None or length is None or query is None:
        return None
    return _Call(query, accept or JSON, boundary, length, receive, send, time.perf_counter(), [])


@functools.lru_cache(maxsize=256)
def _parsed(query_string: bytes) -> dict[str, list[str]] | None:
    """Return the values of a query by name, None where any of it needs decoding. Not to be changed, for it is remembered."""
    query: dict[str, list[str]] = {}
    if query_string and not QUERY.fullmatch(query_string):
        return None
    for pair in query_string.decode().split("&") if query_string else ():
        name, _, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    return query
