"""The fast lane: answers the hot, well-formed request before Connexion sees it, and nothing else.

Connexion costs milliseconds of CPU for a request whose work takes twenty microseconds. The lane takes POST /inference and
POST /predictions as clients send them (plain multipart, known names, harmless headers) and leaves everything unusual, untouched, to
Connexion, which stays the reference, and the only place that refuses a request. Below HTTP both call the same `Predictor`, and a
test sends the same good, odd and hostile requests through both.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import orjson
from starlette.types import Scope

from inference import image
from inference.answers import AnsweredChunk, Document, ReadChunk, Seat, Vacancy
from inference.engine import Network
from inference.errors import ServiceError
from inference.forms import PlainForm
from inference.image import Digit
from inference.log import Call
from inference.predictions import MAX_ANSWERS, MAX_IMAGES, Predictor, document

NDJSON = b"application/x-ndjson"
IS_STREAM = {b"*/*": False, b"application/json": False, NDJSON: True}
BOOLEANS = {"true": True, "false": False}
# Work up to this long is done at once, on the loop: a thread would wait for the interpreter's lock after every call of a model.
INLINE_SECONDS = 0.01

Answer = bytes | AsyncIterator[bytes]

logger = logging.getLogger(__name__)


class FastLane:
    """Answers hot requests."""

    def __init__(self, predictor: Predictor, base_path: str) -> None:
        self._predictor = predictor
        self._operations = {f"{base_path}/inference": self._infer, f"{base_path}/predictions": self._predict}
        self._waiting: dict[Network, list[_Waiting]] = {}

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request may be for the lane."""
        return scope["method"] == "POST" and scope["path"] in self._operations

    async def answer(self, path: str, form: PlainForm, request_id: str) -> Answer | None:
        """Return the body of a request's answer, JSON or lines of NDJSON, or None when the request is for Connexion."""
        try:
            return await self._operations[path](form, request_id)
        except ServiceError:
            return None
        except Exception:  # whatever it is: Connexion meets it again, and knows how to say it
            logger.exception("The fast lane failed.")
            return None

    async def _infer(self, form: PlainForm, request_id: str) -> Answer | None:
        names = form.query.get("experiment_name", [])
        if len(names) != 1 or len(form.query) > 1:
            return None
        seat = self._predictor.seat(names[0], loaded=True)  # the loop reads no files
        files = await form.files("image_blob")
        if files is None or len(files) != 1 or not image.is_small_plain_png(files[0]):
            return None
        return await self._batched(seat, _Waiting(files[0], Call(request_id, form.source, time.perf_counter())))

    async def _predict(self, form: PlainForm, request_id: str) -> Answer | None:
        names, views = form.query.get("experiments", ["all"]), form.query.get("view", ["false"])
        is_stream = IS_STREAM.get(form.accept)
        if is_stream is None or len(views) != 1 or views[0] not in BOOLEANS or form.query.keys() - {"experiments", "view"}:
            return None
        view = BOOLEANS[views[0]]
        panel = self._predictor.panel(names, loaded=True)
        if any(isinstance(place, Vacancy) for place in panel.places):
            return None
        files = await form.files("images")
        call = Call(request_id, form.source, time.perf_counter())
        if files is None or len(files) > MAX_IMAGES or len(files) * len(panel.places) > MAX_ANSWERS:
            return None
        if not is_stream and len(files) == 1 and panel.seconds_per_image <= INLINE_SECONDS and image.is_small_plain_png(files[0]):
            chunk = self._predictor.answered(panel, ReadChunk.of(files, self._predictor.read), call)
            return document(chunk.encoded(view=view), call)
        chunks = self._predictor.chunks(panel, files, self._predictor.read, call)
        first: AnsweredChunk = await asyncio.wrap_future(next(chunks))
        if is_stream:
            return _lines(first, chunks, view=view)
        entries = first.encoded(view=view)
        for done in chunks:
            answered: AnsweredChunk = await asyncio.wrap_future(done)
            entries += answered.encoded(view=view)
        return document(entries, call)

    async def _batched(self, seat: Seat, mine: "_Waiting") -> bytes | None:
        """Return the answer to an image. Whatever came for its model in the same turn of the loop is a batch: the first runs it."""
        batch = self._waiting.get(seat.network)
        if batch is not None:
            batch.append(mine)
            mine.answer = asyncio.get_running_loop().create_future()
            return await mine.answer
        batch = self._waiting[seat.network] = [mine]
        try:
            try:
                await asyncio.sleep(0)
            finally:
                del self._waiting[seat.network]
            if seat.network.seconds_per_image * len(batch) <= INLINE_SECONDS:
                answers = self._answers(seat, batch)
            else:
                answers = await asyncio.wrap_future(self._predictor.submit(self._answers, seat, batch))
        except BaseException:  # also where the first was cancelled: the others are for Connexion then, not for nobody
            for waiting in batch[1:]:
                if waiting.answer is not None and not waiting.answer.done():
                    waiting.answer.set_result(None)
            raise
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer is not None and not waiting.answer.done():  # its client may have gone
                waiting.answer.set_result(answer)
        return answers[0]

    def _answers(self, seat: Seat, batch: Sequence["_Waiting"]) -> list[bytes | None]:
        """Return the answers to a batch, None where it is for Connexion to answer."""
        read = [self._read(waiting.data) for waiting in batch]
        digits = [each for each in read if each is not None]
        if not digits:
            return [None] * len(batch)
        calls = [waiting.call for each, waiting in zip(read, batch, strict=True) if each is not None]
        answers = iter(self._predictor.inferences(seat, digits, calls))
        return [None if each is None else _body(next(answers)) for each in read]

    def _read(self, data: bytes) -> Digit | None:
        try:
            return self._predictor.read(data)
        except ServiceError:
            return None


async def _lines(first: AnsweredChunk, others: Iterator[Future[AnsweredChunk]], *, view: bool) -> AsyncIterator[bytes]:
    yield b"\n".join([*first.encoded(view=view), b""])
    for done in others:
        answered: AnsweredChunk = await asyncio.wrap_future(done)
        yield b"\n".join([*answered.encoded(view=view), b""])


def _body(answer: Document | ServiceError) -> bytes | None:
    return None if isinstance(answer, ServiceError) else orjson.dumps(answer)


@dataclass(slots=True)
class _Waiting:
    """An image whose answer somebody waits for; the first of a batch needs no future."""

    data: bytes
    call: Call
    answer: asyncio.Future[bytes | None] | None = None
