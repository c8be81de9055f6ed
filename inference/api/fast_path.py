"""The fast lane: answers the hot, well-formed request before Connexion sees it, and nothing else.

Connexion costs milliseconds of CPU for a request whose work takes twenty microseconds. The lane
takes POST /inference and POST /predictions as clients send them (plain multipart, known names,
harmless headers) and leaves everything unusual, untouched, to Connexion, which stays the reference,
and the only place that refuses a request. Below HTTP both call the same `Predictor`, and a test
sends the same good, odd and hostile requests through both.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from inference.errors import ServiceError
from inference.prediction.predictor import (
    INLINE_SECONDS,
    MAX_ANSWERS,
    MAX_IMAGES,
    Predictor,
    document,
)
from inference.prediction.results import (
    ImageBatch,
    LoadedModel,
    ModelSelection,
    PredictionBatch,
    UnavailableModel,
)
from inference.prediction_log.recorder import RequestInfo
from inference.preprocessing import digits as image
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.network import Network
from inference.server.multipart import MultipartRequest

NDJSON = b"application/x-ndjson"
IS_STREAM = {b"*/*": False, b"application/json": False, NDJSON: True}
BOOLEANS = {"true": True, "false": False}

Answer = bytes | AsyncIterator[bytes]

logger = logging.getLogger(__name__)


class FastPath:
    """Answers hot requests. For the thread of one event loop."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._waiting: dict[Network, list[_Waiting]] = {}

    def infer(
        self,
        form: MultipartRequest,
        body: bytes,
        request_id: str,
        answer: Callable[[bytes | None], None],
    ) -> bool:
        """Take a request of POST /inference, or return False: it is for Connexion.

        What was taken is answered in a later turn of the loop, with the JSON, or with None: it is
        for Connexion after all. What comes for a model in the same turn is a batch.
        """
        names = form.query.get("experiment_name", ())
        if len(names) != 1 or len(form.query) > 1:
            return False
        files = form.files(body, b"image_blob")
        if files is None or len(files) != 1 or not image.is_small_plain_png(files[0]):
            return False
        try:
            seat = self._predictor.seat(names[0], loaded=True)  # the loop reads no files
        except ServiceError:
            return False
        except Exception:  # as in `predict`
            logger.exception("The fast lane failed.")
            return False
        mine = _Waiting(files[0], RequestInfo(request_id, form.source, time.perf_counter()), answer)
        batch = self._waiting.get(seat.network)
        if batch is None:
            self._waiting[seat.network] = [mine]
            asyncio.get_running_loop().call_soon(self._run, seat)
        else:
            batch.append(mine)
        return True

    async def predict(self, form: MultipartRequest, body: bytes, request_id: str) -> Answer | None:
        """Return the body of an answer of POST /predictions, JSON or lines of NDJSON, or None when
        the request is for Connexion.
        """
        try:
            return await self._predict(form, body, request_id)
        except ServiceError:
            return None
        except Exception:  # whatever it is: Connexion meets it again, and knows how to say it
            logger.exception("The fast lane failed.")
            return None

    def predict_at_once(self, form: MultipartRequest, body: bytes, request_id: str) -> bytes | None:
        """Return the JSON of an answer of POST /predictions that takes INLINE_SECONDS at most, None
        for any other request.
        """
        try:
            asked = self._asked(form, body, request_id)
            return None if asked is None else self._at_once(asked)
        except ServiceError:
            return None
        except Exception:  # as in `predict`
            logger.exception("The fast lane failed.")
            return None

    def _asked(self, form: MultipartRequest, body: bytes, request_id: str) -> "_Asked | None":
        """Return what a request of POST /predictions asks for, None when it is for Connexion.

        Raises ServiceError.
        """
        names, views = form.query.get("experiments", ["all"]), form.query.get("view", ["false"])
        is_stream = IS_STREAM.get(form.accept)
        if (
            is_stream is None
            or len(views) != 1
            or views[0] not in BOOLEANS
            or form.query.keys() - {"experiments", "view"}
        ):
            return None
        panel = self._predictor.panel(names, loaded=True)
        if any(isinstance(place, UnavailableModel) for place in panel.places):
            return None
        files = form.files(body, b"images")
        call = RequestInfo(request_id, form.source, time.perf_counter())
        if files is None or len(files) > MAX_IMAGES or len(files) * len(panel.places) > MAX_ANSWERS:
            return None
        return _Asked(panel, files, call, BOOLEANS[views[0]], is_stream)

    def _at_once(self, asked: "_Asked") -> bytes | None:
        panel, files, call, view, is_stream = asked
        if (
            is_stream
            or len(files) > 1
            or panel.seconds_per_image > INLINE_SECONDS
            or not image.is_small_plain_png(files[0])
        ):
            return None
        chunk = self._predictor.answered(panel, ImageBatch.of(files, self._predictor.read), call)
        return document(chunk.encoded(view=view), call)

    async def _predict(self, form: MultipartRequest, body: bytes, request_id: str) -> Answer | None:
        asked = self._asked(form, body, request_id)
        if asked is None:
            return None
        answer = self._at_once(asked)
        if answer is not None:
            return answer
        panel, files, call, view, is_stream = asked
        chunks = self._predictor.chunks(
            panel, files, self._predictor.read, call, is_stream=is_stream
        )
        first: PredictionBatch = await asyncio.wrap_future(next(chunks))
        if is_stream:
            return _lines(first, chunks, view=view)
        entries = first.encoded(view=view)
        for done in chunks:
            answered: PredictionBatch = await asyncio.wrap_future(done)
            entries += answered.encoded(view=view)
        return document(entries, call)

    def _run(self, seat: LoadedModel) -> None:
        """Answer all that wait for a model."""
        batch = self._waiting.pop(seat.network)
        if seat.network.seconds_per_image * len(batch) <= INLINE_SECONDS:
            _hand_out(batch, self._tried(seat, batch))
            return
        loop = asyncio.get_running_loop()

        def done(future: Future[list[bytes | None]]) -> None:
            answers = [None] * len(batch) if future.cancelled() else future.result()
            loop.call_soon_threadsafe(_hand_out, batch, answers)

        self._predictor.submit(self._tried, seat, batch).add_done_callback(done)

    def _tried(self, seat: LoadedModel, batch: Sequence["_Waiting"]) -> list[bytes | None]:
        """Return the answers to a batch, None where it is for Connexion to answer. Raises nothing."""
        try:
            return self._answers(seat, batch)
        except ServiceError:
            return [None] * len(batch)
        except Exception:  # whatever it is: Connexion meets it again, and knows how to say it
            logger.exception("The fast lane failed.")
            return [None] * len(batch)

    def _answers(self, seat: LoadedModel, batch: Sequence["_Waiting"]) -> list[bytes | None]:
        """Return the answers to a batch, None where it is for Connexion to answer."""
        read = [self._read(waiting.data) for waiting in batch]
        digits = [each for each in read if each is not None]
        if not digits:
            return [None] * len(batch)
        calls = [
            waiting.call for each, waiting in zip(read, batch, strict=True) if each is not None
        ]
        answers = iter(self._predictor.inferences(seat, digits, calls))
        return [
            None if each is None or isinstance(answer := next(answers), ServiceError) else answer
            for each in read
        ]

    def _read(self, data: bytes) -> PreprocessedImage | None:
        try:
            return self._predictor.read(data)
        except ServiceError:
            return None


async def _lines(
    first: PredictionBatch, others: Iterator[Future[PredictionBatch]], *, view: bool
) -> AsyncIterator[bytes]:
    yield b"\n".join([*first.encoded(view=view), b""])
    for done in others:
        answered: PredictionBatch = await asyncio.wrap_future(done)
        yield b"\n".join([*answered.encoded(view=view), b""])


def _hand_out(batch: Sequence["_Waiting"], answers: Sequence[bytes | None]) -> None:
    for waiting, answer in zip(batch, answers, strict=True):
        waiting.answer(answer)


class _Asked(NamedTuple):
    """A request of POST /predictions."""

    panel: ModelSelection
    files: Sequence[bytes]
    call: RequestInfo
    view: bool
    is_stream: bool


class _Waiting(NamedTuple):
    """An image whose answer somebody waits for."""

    data: bytes
    call: RequestInfo
    answer: Callable[[bytes | None], None]
