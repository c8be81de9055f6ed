"""POST /inference: one image, one model, one answer."""

import time
from typing import Protocol, TypeGuard

from inference.api.response_encoding import ResponseEncoder
from inference.errors import MalformedRequestError, ServiceError
from inference.prediction.predictor import Predictor
from inference.prediction.results import LoadedModel
from inference.prediction_log.recorder import RequestInfo
from servicekit.request_context import current_request_id, source


class Upload(Protocol):
    """A file of a multipart request."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""


class InferenceApi:
    """The operation of the resource /inference."""

    def __init__(self, predictor: Predictor, encoder: ResponseEncoder) -> None:
        self._predictor = predictor
        self._encoder = encoder

    def infer(self, experiment_name: str, image_blob: Upload | None = None) -> bytes:
        """Predict one image with one model and return JSON.

        Raises the errors of openapi.yaml, 400 to 503.
        """
        info = current_request_info()
        model = self._predictor.resolve(experiment_name)
        if not is_upload(image_blob):
            raise MalformedRequestError(
                "The request has no file in the multipart field image_blob. Send one image there."
            )
        data = image_blob.read(self._predictor.max_upload_bytes)
        return self._predictor.submit(self._infer, model, data, info).result()

    def _infer(self, model: LoadedModel, data: bytes, info: RequestInfo) -> bytes:
        image = self._predictor.read(data)
        outputs, milliseconds = self._predictor.predict_each(model, [image], [info])
        [answer] = self._encoder.encode_inferences(model.version, outputs, [image], milliseconds)
        if isinstance(answer, ServiceError):
            raise answer
        return answer


def current_request_info() -> RequestInfo:
    """Return the current request as the prediction log knows it; its time starts now."""
    return RequestInfo(current_request_id(), source.get(), time.perf_counter())


def is_upload(value: Upload | str | None) -> TypeGuard[Upload]:
    """Return whether a form field is a file: a text part of the same name is not."""
    return hasattr(value, "read")
