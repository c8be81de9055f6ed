"""POST /explanations: occlusion maps of one image by one or more models."""

from collections.abc import Sequence
from concurrent.futures import Future

import orjson

from inference.api.inference import Upload, current_request_info, is_upload
from inference.api.response_encoding import png_base64
from inference.errors import Document, MalformedRequestError, ServiceError
from inference.models.catalog import ALL
from inference.prediction.occlusion import (
    CELLS,
    PATCH,
    STRIDE,
    OcclusionMap,
    check_model_count,
    explain,
)
from inference.prediction.predictor import Predictor
from inference.prediction.results import LoadedModel, UnavailableModel
from inference.preprocessing.digits import PreprocessedImage


class ExplanationsApi:
    """The operation of the resource /explanations. Nothing of it is logged."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def explain(
        self,
        experiments: Sequence[str] = (),
        images: Upload | None = None,
        *,
        experiment_name: Sequence[str] = (),
        image_blob: Upload | None = None,
        view: bool = False,
    ) -> bytes:
        """Return the occlusion map of an image for each model, as JSON; by default for all models.

        Models and the image have the names of POST /predictions. Raises the errors of
        openapi.yaml, 400 to 503.
        """
        info = current_request_info()
        selection = self._predictor.select([*experiments, *experiment_name] or [ALL])
        check_model_count(len(selection.models))
        field, upload = "images", images
        if upload is None and image_blob is not None:
            field, upload = "image_blob", image_blob
        if not is_upload(upload):
            raise MalformedRequestError(
                "The request has no file in the multipart field images. "
                "Send one there, such as curl -F images=@digit.png.",
                "images",
            )
        data = upload.read(self._predictor.max_upload_bytes)
        image = self._predictor.submit(self._read, data, field).result()
        # One model after the other, so that the predictions of other calls run in between.
        entries = [self._start(model, image).result() for model in selection.models]
        document: Document = {
            "image_digest": image.digest,
            "warnings": image.warnings,
            **({"view": png_base64(image.pixels).decode()} if view else {}),
            "patch": {"cells": CELLS, "pixels": PATCH, "stride": STRIDE},
            "explanations": entries,
            "milliseconds": info.milliseconds(),
        }
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)

    def _read(self, data: bytes, field: str) -> PreprocessedImage:
        try:
            return self._predictor.read(data)
        except ServiceError as error:
            error.path = field
            raise

    def _start(
        self, model: LoadedModel | UnavailableModel, image: PreprocessedImage
    ) -> Future[Document]:
        return self._predictor.submit(_explain, model, image)


def _explain(model: LoadedModel | UnavailableModel, image: PreprocessedImage) -> Document:
    if isinstance(model, UnavailableModel):
        return {"experiment_name": model.name, "problem": model.problem.document()}
    try:
        found = explain(model.network, image.pixels)
    except ServiceError as problem:
        return {"experiment_name": model.version.name, "problem": problem.document()}
    return {
        "experiment_name": model.version.name,
        "version": model.version.version,
        "model_digest": model.version.digest,
        **_answer(found, model.version.classes),
    }


def _answer(found: OcclusionMap, classes: Sequence[str]) -> Document:
    return {
        "class": classes[found.class_index],
        "confidence": found.confidence,
        "drops": found.drops,
    }
