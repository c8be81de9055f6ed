"""POST /inference: one image, one model, one answer."""

import time
from collections.abc import Sequence
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

    def infer(
        self,
        experiment_name: str | None = None,
        image_blob: Upload | None = None,
        *,
        experiments: Sequence[str] = (),
        images: Upload | None = None,
    ) -> bytes:
        """Predict one image with one model and return JSON.

        The model and the image may have their names in POST /predictions. Raises the errors of
        openapi.yaml, 400 to 503.
        """
        info = current_request_info()
        names = [*experiments, *([] if experiment_name is None else [experiment_name])]
        if not names:
            raise MalformedRequestError(
                "The query parameter experiment_name is missing. "
                "Add it, such as experiment_name=champion.",
                "experiment_name",
            )
        if len(names) > 1:
            raise MalformedRequestError(
                "This operation takes one experiment. Send one experiment_name, or use "
                "POST /predictions for several.",
                "experiment_name",
            )
        model = self._predictor.resolve(names[0])
        field, upload = "image_blob", image_blob
        if upload is None and images is not None:
            field, upload = "images", images
        if not is_upload(upload):
            raise MalformedRequestError(
                "The request has no file in the multipart field image_blob. "
                "Send one image there, such as curl -F image_blob=@digit.png.",
                "image_blob",
            )
        data = upload.read(self._predictor.max_upload_bytes)
        return self._predictor.submit(self._infer, model, data, field, info).result()

    def _infer(self, model: LoadedModel, data: bytes, field: str, info: RequestInfo) -> bytes:
        try:
            image = self._predictor.read(data)
        except ServiceError as error:
            error.path = field
            raise
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
