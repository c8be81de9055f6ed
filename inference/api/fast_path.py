"""Fast path: answers the common, well-formed requests before Connexion sees them.

Connexion costs milliseconds of CPU for a request whose model takes twenty microseconds. The fast
path takes POST /inference and POST /predictions as clients usually send them: plain multipart,
known names, harmless headers. It leaves everything unusual, untouched, to Connexion, which remains
the reference and the only place that refuses a request. Both use the same `Predictor` and
`ResponseEncoder`; a test sends the same good, odd and hostile requests through both.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from inference.api.response_encoding import ResponseEncoder, encode_predictions
from inference.errors import ServiceError
from inference.prediction.predictor import Predictor
from inference.prediction.results import ImageBatch, LoadedModel, ModelSelection, PredictionBatch
from inference.prediction.scheduler import INLINE_SECONDS
from inference.prediction.turns import Turns
from inference.prediction_log.recorder import RequestInfo
from inference.preprocessing.digits import PreprocessedImage
from inference.preprocessing.plain_png import is_small_plain_png
from inference.server.direct.fast_path_interface import NDJSON, Answer, Respond
from inference.server.direct.multipart import MultipartRequest
from inference.server.direct.wire_answers import DirectAnswer

INFERENCE, PREDICTIONS = "inference", "predictions"
IS_STREAM = {b"*/*": False, b"application/json": False, NDJSON: True}
BOOLEANS = {"true": True, "false": False}
PARAMETERS = {"experiments", "view", "log"}  # of POST /predictions

logger = logging.getLogger(__name__)


class FastPath:
    """Answers POST /inference and POST /predictions. For the thread of one event loop."""

    def __init__(self, predictor: Predictor, encoder: ResponseEncoder) -> None:
        self._predictor = predictor
        self._encoder = encoder
        self._turns = Turns[_Waiting](predictor.submit, self._answers)

    def submit(
        self,
        operation: str,
        request: MultipartRequest,
        body: bytes,
        request_id: str,
        respond: Respond,
    ) -> bool:
        """Take a request of at most INLINE_SECONDS of work, or return False: call Connexion.

        `respond` is called in a later turn of the event loop, with JSON, or with None if Connexion
        has to answer after all.
        """
        try:
            if operation == INFERENCE:
                return self._queue(request, body, request_id, respond)
            call = self._parse(request, body, request_id)
            document = None if call is None else self._predict_inline(call)
        except ServiceError:
            return False
        except Exception:  # Connexion meets the same error and reports it
            logger.exception("The fast path failed.")
            return False
        if document is not None:
            asyncio.get_running_loop().call_soon(respond, document)
        return document is not None

    async def answer(
        self, operation: str, request: MultipartRequest, body: bytes, request_id: str
    ) -> Answer | None:
        """Return the body of a response, JSON or lines of NDJSON, or None: call Connexion."""
        try:
            if operation == INFERENCE:
                return await self._infer(request, body, request_id)
            call = self._parse(request, body, request_id)
            return None if call is None else await self._predict(call)
        except ServiceError:
            return None
        except Exception:  # as in `submit`
            logger.exception("The fast path failed.")
            return None

    def _queue(
        self, request: MultipartRequest, body: bytes, request_id: str, respond: Respond
    ) -> bool:
        """Queue a request of POST /inference; one turn's requests for a model are one batch."""
        names = request.query.get("experiment_name", ())
        if len(names) != 1 or len(request.query) > 1:
            return False
        files = request.files(body, b"image_blob")
        if files is None or len(files) != 1 or not is_small_plain_png(files[0]):
            return False
        model = self._predictor.resolve(names[0], loaded=True)  # the event loop reads no files
        info = RequestInfo(request_id, request.head.source, time.perf_counter())
        self._turns.add(model, _Waiting(files[0], info, respond))
        return True

    async def _infer(self, request: MultipartRequest, body: bytes, request_id: str) -> bytes | None:
        answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def respond(answer: DirectAnswer | None) -> None:
            if not answered.done():  # the client may have left
                answered.set_result(answer if isinstance(answer, bytes) else None)

        return await answered if self._queue(request, body, request_id, respond) else None

    def _parse(
        self, request: MultipartRequest, body: bytes, request_id: str
    ) -> "_PredictionsCall | None":
        """Return a request of POST /predictions, None if it is for Connexion.

        Raises ServiceError.
        """
        query = request.query
        names = query.get("experiments", ["all"])
        views, logs = query.get("view", ["false"]), query.get("log", ["true"])
        is_stream = IS_STREAM.get(request.head.accept)
        is_usual = len(views) == len(logs) == 1 and views[0] in BOOLEANS and logs[0] in BOOLEANS
        if is_stream is None or not is_usual or query.keys() - PARAMETERS:
            return None
        selection = self._predictor.select(names, loaded=True)
        if not selection.is_complete:
            return None
        files = request.files(body, b"images")
        if files is None:
            return None
        is_logged = BOOLEANS[logs[0]]
        info = RequestInfo(request_id, request.head.source, time.perf_counter(), is_logged)
        return _PredictionsCall(selection, files, info, BOOLEANS[views[0]], is_stream)

    def _predict_inline(self, call: "_PredictionsCall") -> bytes | None:
        """Answer a request of one image and little work at once, None for any other."""
        selection, files, info, view, is_stream = call
        if is_stream or len(files) > 1 or not is_small_plain_png(files[0]):
            return None
        if selection.seconds_per_image > INLINE_SECONDS:
            return None
        batch = ImageBatch.read(files, self._predictor.read)
        predicted = self._predictor.predict_batch(selection, info, batch)
        entries = self._encoder.encode_batch(predicted, view=view)
        return encode_predictions(entries, info.milliseconds())

    async def _predict(self, call: "_PredictionsCall") -> Answer:
        document = self._predict_inline(call)
        if document is not None:
            return document
        selection, files, info, view, is_stream = call
        batches = self._predictor.batches(selection, files, info, is_stream=is_stream)
        first: PredictionBatch = await asyncio.wrap_future(next(batches))
        if is_stream:
            return self._lines(first, batches, view=view)
        entries = self._encoder.encode_batch(first, view=view)
        for future in batches:
            batch: PredictionBatch = await asyncio.wrap_future(future)
            entries += self._encoder.encode_batch(batch, view=view)
        return encode_predictions(entries, info.milliseconds())

    async def _lines(
        self, first: PredictionBatch, others: Iterator[Future[PredictionBatch]], *, view: bool
    ) -> AsyncIterator[bytes]:
        yield b"\n".join([*self._encoder.encode_batch(first, view=view), b""])
        for future in others:
            batch: PredictionBatch = await asyncio.wrap_future(future)
            yield b"\n".join([*self._encoder.encode_batch(batch, view=view), b""])

    def _answers(self, model: LoadedModel, batch: Sequence["_Waiting"]) -> list[bytes | None]:
        read = [self._try_read(waiting.data) for waiting in batch]
        images = [image for image in read if image is not None]
        if not images:
            return [None] * len(batch)
        infos = [
            waiting.info for image, waiting in zip(read, batch, strict=True) if image is not None
        ]
        outputs, milliseconds = self._predictor.predict_each(model, images, infos)
        encoded = iter(
            self._encoder.encode_inferences(model.version, outputs, images, milliseconds)
        )
        return [
            None if image is None or isinstance(answer := next(encoded), ServiceError) else answer
            for image in read
        ]

    def _try_read(self, data: bytes) -> PreprocessedImage | None:
        try:
            return self._predictor.read(data)
        except ServiceError:
            return None


class _PredictionsCall(NamedTuple):
    """A request of POST /predictions."""

    selection: ModelSelection
    files: Sequence[bytes]
    info: RequestInfo
    view: bool
    is_stream: bool


class _Waiting(NamedTuple):
    """A queued request of POST /inference."""

    data: bytes
    info: RequestInfo
    respond: Respond
