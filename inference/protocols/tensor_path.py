"""Tensor path: answers the usual requests of serving protocols from the parser of HTTP.

It takes tensors in binary, and in JSON for a few images. Anything else it leaves to
`ProtocolApplication`, which uses the same readers, encoders and `Predictor`; a test sends the same
requests through both.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from inference.errors import ServiceError
from inference.prediction.predictor import Predictor
from inference.prediction.results import LoadedModel
from inference.prediction.scheduler import INLINE_SECONDS
from inference.prediction.turns import Turns
from inference.prediction_log.recorder import RequestInfo
from inference.preprocessing.digits import PreprocessedImage
from inference.protocols.exchange import Answer, Encode, Question
from inference.protocols.formats import open_inference, tensorflow_serving
from inference.protocols.formats.json_documents import parse_object
from inference.protocols.formats.open_inference import InferHead
from inference.protocols.questions import READERS, Request
from inference.protocols.routes import Action
from inference.runtime.outputs import Outputs
from inference.server.direct.fast_path_interface import Respond
from inference.server.direct.tensor_request import TensorRequest
from inference.server.direct.wire_answers import WireAnswer

MAX_CACHED_BYTES = 1024

logger = logging.getLogger(__name__)


class TensorPath:
    """Answers with a predictor. For the thread of one event loop."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._turns = Turns[_Waiting](predictor.submit, self._answers)

    def submit(
        self, request: TensorRequest, body: bytes, request_id: str, respond: Respond
    ) -> bool:
        """Take a request of at most INLINE_SECONDS of work, or return False.

        `respond` is called in a later turn of the event loop, with None if the application has to
        answer after all.
        """
        try:
            return self._submit(request, body, request_id, respond)
        except ServiceError:
            return False
        except Exception:  # the application meets the same error and reports it
            logger.exception("The tensor path failed.")
            return False

    def _submit(
        self, request: TensorRequest, body: bytes, request_id: str, respond: Respond
    ) -> bool:
        if len(body) != request.length:
            return False
        model = self._predictor.resolve(request.pinned_name, loaded=True)
        images, encode = _read(request, body)
        if model.network.seconds_per_image * len(images) > INLINE_SECONDS:
            return False
        if any(isinstance(image, bytes) for image in images):
            return False  # an image file
        protocol = open_inference.NAME if request.is_infer else tensorflow_serving.NAME
        info = RequestInfo(request_id, request.head.source, time.perf_counter(), protocol=protocol)
        if len(images) == 1:
            image = self._predictor.read(images[0])
            self._turns.add(model, _Waiting(encode, request.name, image, info, respond))
            return True
        read = [self._predictor.read(image) for image in images]
        outputs = self._predictor.predict_finite(model, read, info)
        if outputs is None:
            return False  # the application logs the finite rows and reports the others
        answer = _on_wire(encode(request.name, model.version, outputs))
        asyncio.get_running_loop().call_soon(respond, answer)
        return True

    def _answers(
        self, model: LoadedModel, batch: Sequence["_Waiting"]
    ) -> Sequence[WireAnswer | None]:
        images = [waiting.image for waiting in batch]
        outputs, _ = self._predictor.predict_each(
            model, images, [waiting.info for waiting in batch]
        )
        return [
            None
            if index is None
            else _on_wire(waiting.encode(waiting.name, model.version, _row(outputs, number)))
            for number, (waiting, index) in enumerate(
                zip(batch, outputs.class_indexes, strict=True)
            )
        ]


class _Waiting(NamedTuple):
    """A request with one image."""

    encode: Encode
    name: str
    image: PreprocessedImage
    info: RequestInfo
    respond: Respond


def _row(outputs: Outputs, number: int) -> Outputs:
    part = slice(number, number + 1)
    return Outputs(outputs.probabilities[part], outputs.cached[part], outputs.class_indexes[part])


def _read(request: TensorRequest, body: bytes) -> Question:
    """Return the question of a request. Raises ServiceError."""
    if not request.json_length:
        _, reader = READERS[Action.INFER if request.is_infer else Action.PREDICT]
        return reader(Request(body, {}, request.length))
    head = _parse_head(body[: request.json_length])
    return Question(head.read(memoryview(body)[request.json_length :]), head.encode)


def _parse_head(data: bytes) -> InferHead:
    """Return the JSON of a request. That of a client is mostly the same, but for an id."""
    if len(data) > MAX_CACHED_BYTES or b'"id"' in data:
        return open_inference.parse_head(parse_object(data))
    return _parse_same_head(data)


@functools.lru_cache(maxsize=256)
def _parse_same_head(data: bytes) -> InferHead:
    return open_inference.parse_head(parse_object(data))


def _on_wire(answer: Answer) -> WireAnswer:
    pairs = ((b"content-type", answer.media_type), *answer.headers)
    return WireAnswer(b"".join([b"%b: %b\r\n" % pair for pair in pairs]), answer.body)
