"""POST /inference: one image, one model, one answer, without HTTP."""

import io
import json

import pytest

from inference.api.inference import InferenceApi, current_request_info, is_upload
from inference.api.response_encoding import ResponseEncoder
from inference.errors import (
    ImageTooLargeError,
    MalformedRequestError,
    UnsupportedImageError,
)
from inference.prediction.results import NotFiniteError
from servicekit import request_context
from tests.support.fake_models import FakeNetwork, loaded
from tests.support.fake_predictor import MAX_IMAGE_BYTES, predicting


def infer(data: bytes, row: tuple[float, ...] = (0.25, 0.75)) -> bytes:
    with predicting(loaded("a", FakeNetwork(row))) as predictor:
        return InferenceApi(predictor, ResponseEncoder()).infer("a", io.BytesIO(data))


def test_infer_answers_with_json(digits: dict[str, bytes]) -> None:
    answer = json.loads(infer(digits["1"]))
    assert (answer["experiment_name"], answer["class"], answer["confidence"]) == ("a", "y", 0.75)
    assert answer["milliseconds"] >= 0


def test_infer_with_output_that_is_not_finite_raises(digits: dict[str, bytes]) -> None:
    with pytest.raises(NotFiniteError):
        infer(digits["1"], (float("nan"), 0.0))


def test_infer_with_unusable_image_raises() -> None:
    with pytest.raises(UnsupportedImageError) as raised:
        infer(b"hello")
    assert raised.value.path == "image_blob"
    with pytest.raises(ImageTooLargeError):
        infer(b"x" * (MAX_IMAGE_BYTES + 1))


@pytest.mark.parametrize("upload", [None, "a text part"])
def test_infer_without_file_raises(upload: object) -> None:
    with predicting(loaded()) as predictor, pytest.raises(MalformedRequestError, match="no file"):
        InferenceApi(predictor, ResponseEncoder()).infer("a", upload)  # type: ignore[arg-type]


def test_infer_takes_the_names_of_post_predictions(digits: dict[str, bytes]) -> None:
    with predicting(loaded("a")) as predictor:
        api = InferenceApi(predictor, ResponseEncoder())
        answer = json.loads(api.infer(experiments=["a"], images=io.BytesIO(digits["1"])))
        assert answer["experiment_name"] == "a"
        with pytest.raises(UnsupportedImageError) as raised:
            api.infer(experiments=["a"], images=io.BytesIO(b"hello"))
        assert raised.value.path == "images"


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_infer_with_another_number_of_names_raises(names: list[str]) -> None:
    with (
        predicting(loaded("a")) as predictor,
        pytest.raises(MalformedRequestError, match="experiment_name") as raised,
    ):
        InferenceApi(predictor, ResponseEncoder()).infer(None, io.BytesIO(), experiments=names)
    assert raised.value.path == "experiment_name"


def test_current_request_info_is_that_of_the_context() -> None:
    with request_context.of_request(b"an-id", "curl/8"):
        info = current_request_info()
    assert (info.request_id, info.source) == ("an-id", "curl/8")
    assert 0 <= info.milliseconds() < 1000


def test_is_upload_tells_a_file_from_a_text() -> None:
    assert is_upload(io.BytesIO())
    assert not is_upload("text")
    assert not is_upload(None)
