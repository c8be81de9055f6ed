"""POST /predictions: many images, many models, one JSON document or a stream of lines."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inference.api.inference import Upload, current_request_info, is_upload
from inference.api.json_images import parse_images
from inference.api.response_encoding import ResponseEncoder, encode_predictions
from inference.errors import MalformedRequestError
from inference.prediction.predictor import MAX_IMAGES, Predictor
from inference.prediction.results import PredictionBatch
from inference.preprocessing.digits import Pixels


class PredictionsApi:
    """The predicting operation of the resource /predictions."""

    def __init__(self, predictor: Predictor, encoder: ResponseEncoder) -> None:
        self._predictor = predictor
        self._encoder = encoder

    def predict(
        self,
        experiments: Sequence[str] = ("all",),
        images: Sequence[Upload] | None = None,
        *,
        view: bool = False,
        document: Any = None,
        is_stream: bool = False,
    ) -> bytes | Iterator[bytes]:
        """Predict images, uploaded or in a JSON document, with one or more models.

        Returns a JSON document or, for a stream, one line for each image. Raises the errors of
        openapi.yaml, 400 to 503, all of them before the first line.
        """
        info = current_request_info()
        selection = self._predictor.select(experiments)
        sources: Sequence[bytes | Pixels]
        if document is not None:
            sources = parse_images(document, MAX_IMAGES)
        else:
            size = self._predictor.max_upload_bytes
            sources = [upload.read(size) for upload in images or [] if is_upload(upload)]
            if not sources:
                raise MalformedRequestError(
                    "The request has no file in the multipart field images. Send at least one."
                )
        futures = self._predictor.batches(selection, sources, info, is_stream=is_stream)
        first = next(futures).result()
        batches = itertools.chain([first], (future.result() for future in futures))
        entries = self._encode(batches, view=view)
        if is_stream:
            return (entry + b"\n" for entry in entries)
        return encode_predictions(list(entries), info.milliseconds())

    def _encode(self, batches: Iterable[PredictionBatch], *, view: bool) -> Iterator[bytes]:
        for batch in batches:
            yield from self._encoder.encode_batch(batch, view=view)
