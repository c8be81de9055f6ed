"""/predictions: predict many images with many models; stored predictions and their labels."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from inference.api import validation
from inference.api.inference import Upload, current_request_info, is_upload
from inference.api.json_images import parse_images
from inference.api.learning import fields
from inference.api.response_encoding import ResponseEncoder, encode_predictions
from inference.api.validation import MAX_LABEL, MAX_PERSON
from inference.database.predictions import Filter, History
from inference.errors import Document, MalformedRequestError
from inference.models.catalog import ALL
from inference.prediction.limits import MAX_IMAGES
from inference.prediction.predictor import Predictor
from inference.prediction.results import PredictionBatch
from inference.preprocessing.digits import Pixels


class PredictionsApi:
    """The operations of the resource /predictions."""

    def __init__(self, predictor: Predictor, encoder: ResponseEncoder, history: History) -> None:
        self._predictor = predictor
        self._encoder = encoder
        self._history = history

    def predict(
        self,
        experiments: Sequence[str] = (),
        images: Sequence[Upload] | None = None,
        *,
        experiment_name: Sequence[str] = (),
        image_blob: Sequence[Upload] = (),
        view: bool = False,
        log: bool = True,
        document: Any = None,
        is_stream: bool = False,
    ) -> bytes | Iterator[bytes]:
        """Predict images, uploaded or in a JSON document, with one or more models, by default all.

        Models and images may have their names in POST /inference. Without `log`, nothing is
        recorded and the predictions have no ids. Returns a JSON document or, for
        a stream, one line for each image. Raises the errors of openapi.yaml, 400 to 503, all of
        them before the first line.
        """
        info = current_request_info()._replace(is_logged=log)
        selection = self._predictor.select([*experiments, *experiment_name] or [ALL])
        sources: Sequence[bytes | Pixels]
        if document is not None:
            sources = parse_images(document, MAX_IMAGES)
        else:
            size = self._predictor.max_upload_bytes
            uploads = filter(is_upload, [*(images or ()), *image_blob])
            sources = [upload.read(size) for upload in uploads]
            if not sources:
                raise MalformedRequestError(
                    "The request has no file in the multipart field images. "
                    "Send at least one, such as curl -F images=@digit.png.",
                    "images",
                )
        futures = self._predictor.batches(selection, sources, info, is_stream=is_stream)
        first = next(futures).result()
        batches = itertools.chain([first], (future.result() for future in futures))
        entries = self._encode(batches, view=view)
        if is_stream:
            return (entry + b"\n" for entry in entries)
        return encode_predictions(list(entries), info.milliseconds())

    def list_predictions(
        self,
        limit: int = 50,
        cursor: str | None = None,
        experiment_name: str | None = None,
        since: str | None = None,
        until: str | None = None,
        disagreement: bool | None = None,  # noqa: FBT001  # Connexion passes parameters by name
        corrected: bool | None = None,  # noqa: FBT001
        wrong: bool | None = None,  # noqa: FBT001
        **keyword_parameters: str,
    ) -> Document:
        """Return a page of predictions, newest first.

        The parameter `class` is a keyword of Python and arrives in `keyword_parameters`. Raises
        MalformedRequestError and DatabaseUnavailableError.
        """
        name, version = None, None
        if experiment_name is not None:
            name, version = validation.pinned_name(experiment_name)
        has_label = keyword_parameters.get("class") is not None
        criteria = Filter(
            name,
            version,
            validation.text(keyword_parameters, "class", MAX_LABEL) if has_label else None,
            validation.time(since, "since") if since is not None else None,
            validation.time(until, "until") if until is not None else None,
            disagreement,
            corrected,
            wrong,
        )
        predictions, next_cursor = self._history.page(criteria, limit, cursor)
        return {"predictions": predictions, "next": next_cursor}

    def get_prediction(self, prediction_id: str) -> Document:
        """Return one prediction with its image, labels and latest events."""
        return self._history.one(validation.identity(prediction_id, "prediction_id"))

    def label_prediction(self, prediction_id: str, document: Any) -> Document:
        """Store the true label of a prediction's image."""
        prediction_id = validation.identity(prediction_id, "prediction_id")
        validation.record(document, ("label", "labelled_by", "replaces", "answers_request"))
        label = validation.text(document, "label", MAX_LABEL)
        labelled_by = validation.text(document, "labelled_by", MAX_PERSON)
        replaces = None
        if document.get("replaces") is not None:
            replaces = validation.text(document, "replaces", MAX_LABEL)
        request = None
        if document.get("answers_request") is not None:
            request = fields.whole(document, "answers_request", (1, fields.MAX_ID))
        return self._history.label(prediction_id, label, labelled_by, replaces, request)

    def _encode(self, batches: Iterable[PredictionBatch], *, view: bool) -> Iterator[bytes]:
        for batch in batches:
            yield from self._encoder.encode_batch(batch, view=view)
