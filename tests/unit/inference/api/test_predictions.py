"""POST /predictions: files or JSON, a document or lines, without HTTP."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from inference.api.predictions import PredictionsApi
from inference.api.response_encoding import ResponseEncoder
from inference.errors import (
    InvalidValueError,
    MalformedRequestError,
    ModelNotReadyError,
    RequestTooLargeError,
)
from inference.prediction.results import LoadedModel, UnavailableModel
from tests.support.fake_models import FakeNetwork, image, loaded
from tests.support.fake_predictor import predicting

BLANK = [[0] * 28 for _ in range(28)]


@pytest.fixture
def api() -> Iterator[PredictionsApi]:
    """An API over two models and one that is unavailable."""
    models: list[LoadedModel | UnavailableModel] = [
        loaded("a"),
        UnavailableModel("gone", ModelNotReadyError()),
        loaded("b", FakeNetwork((1.0, 0.0), serial=2)),
    ]
    with predicting(*models) as predictor:
        yield PredictionsApi(predictor, ResponseEncoder())


def predict(api: PredictionsApi, *files: bytes, **options: Any) -> list[dict[str, Any]]:
    document = api.predict(images=[io.BytesIO(data) for data in files], **options)
    assert isinstance(document, bytes)
    predictions: list[dict[str, Any]] = json.loads(document)["predictions"]
    return predictions


def test_predict_answers_each_image_with_each_model(
    api: PredictionsApi, digits: dict[str, bytes]
) -> None:
    entries = predict(api, digits["1"], b"hello", digits["2"])
    assert [entry["index"] for entry in entries] == [0, 1, 2]
    assert entries[1] == {"index": 1, "problem": entries[1]["problem"]}
    answers = entries[0]["answers"]
    assert [answer["experiment_name"] for answer in answers] == ["a", "gone", "b"]
    assert answers[1]["problem"]["status"] == 503
    assert entries[0]["consensus"]["mnist"]["votes"] == {"x": 1, "y": 1}


def test_predict_of_json_takes_pixels(api: PredictionsApi) -> None:
    document = api.predict(document={"images": [BLANK, image(7).pixels.tolist()]})
    assert isinstance(document, bytes)
    entries = json.loads(document)["predictions"]
    assert [entry["image_digest"] for entry in entries] == [image(0).digest, image(7).digest]


def test_predict_with_view_has_a_picture(api: PredictionsApi, digits: dict[str, bytes]) -> None:
    [entry] = predict(api, digits["1"], view=True)
    assert entry["view"].startswith("iVBOR")


def test_predict_as_stream_yields_lines(api: PredictionsApi, digits: dict[str, bytes]) -> None:
    images = [io.BytesIO(digits["1"]) for _ in range(5)]
    lines = list(api.predict(images=images, is_stream=True))
    assert [json.loads(line)["index"] for line in lines] == list(range(5))  # type: ignore[arg-type]


@pytest.mark.parametrize("images", [None, [], ["a text part"]])
def test_predict_without_file_raises(api: PredictionsApi, images: Any) -> None:
    with pytest.raises(MalformedRequestError, match="no file"):
        api.predict(images=images)


@pytest.mark.parametrize("is_stream", [True, False])
def test_predict_raises_before_the_first_line(api: PredictionsApi, *, is_stream: bool) -> None:
    for document, error in (
        ({"images": []}, InvalidValueError),
        ({"images": [BLANK] * 1001}, RequestTooLargeError),
        ({}, MalformedRequestError),
    ):
        with pytest.raises(error):
            api.predict(document=document, is_stream=is_stream)
    with pytest.raises(RequestTooLargeError):
        api.predict(images=[io.BytesIO()] * 1001, is_stream=is_stream)
