"""POST /explanations: one image to an occlusion map per model, without HTTP."""

import io
import json
from typing import Any

import pytest

from inference.api.diagnostics.explanations import ExplanationsApi
from inference.errors import (
    ImageTooLargeError,
    MalformedRequestError,
    ModelNotReadyError,
    RequestTooLargeError,
    UnsupportedImageError,
)
from inference.prediction.results import LoadedModel, UnavailableModel
from tests.support.fake_models import FakeNetwork, loaded
from tests.support.fake_predictor import MAX_IMAGE_BYTES, predicting

NAN = float("nan")


def explain(*models: LoadedModel | UnavailableModel, **parameters: Any) -> dict[str, Any]:
    with predicting(*models) as predictor:
        document: dict[str, Any] = json.loads(ExplanationsApi(predictor).explain(**parameters))
    return document


def test_explain_answers_for_each_model_in_order(digits: dict[str, bytes]) -> None:
    found = explain(
        loaded("a"),
        UnavailableModel("gone", ModelNotReadyError()),
        loaded("b", FakeNetwork((1.0, 0.0), serial=2), version=3),
        loaded("broken", FakeNetwork((NAN, NAN), serial=3)),
        images=io.BytesIO(digits["1"]),
    )
    first, gone, second, broken = found["explanations"]
    assert (first["class"], first["confidence"], first["version"]) == ("y", 0.75, 1)
    assert first["model_digest"] == "d" * 64
    assert first["drops"] == [[0.0] * 13] * 13
    assert (second["class"], second["version"]) == ("x", 3)
    for entry, name in ((gone, "gone"), (broken, "broken")):
        assert (entry["experiment_name"], entry["problem"]["status"]) == (name, 503)
    assert found["patch"] == {"cells": 13, "pixels": 4, "stride": 2}
    assert (found["warnings"], "view" in found) == ([], False)


def test_explain_with_view_has_a_picture(digits: dict[str, bytes]) -> None:
    found = explain(loaded(), images=io.BytesIO(digits["1"]), view=True)
    assert found["view"].startswith("iVBOR")


def test_explain_takes_the_names_of_post_inference(digits: dict[str, bytes]) -> None:
    found = explain(loaded(), experiment_name=["a"], image_blob=io.BytesIO(digits["1"]))
    assert len(found["explanations"]) == 1


@pytest.mark.parametrize("images", [None, "a text part"])
def test_explain_without_a_file_raises(images: Any) -> None:
    with pytest.raises(MalformedRequestError, match="no file in the multipart field images"):
        explain(loaded(), images=images)


def test_explain_of_an_unusable_image_names_its_field() -> None:
    with pytest.raises(UnsupportedImageError) as raised:
        explain(loaded(), image_blob=io.BytesIO(b"text"))
    assert raised.value.path == "image_blob"
    with pytest.raises(ImageTooLargeError):
        explain(loaded(), images=io.BytesIO(bytes(MAX_IMAGE_BYTES + 1)))


def test_explain_of_too_many_models_raises(digits: dict[str, bytes]) -> None:
    with pytest.raises(RequestTooLargeError, match="at most 100 models"):
        explain(*[loaded(str(number)) for number in range(101)], images=io.BytesIO(digits["1"]))
