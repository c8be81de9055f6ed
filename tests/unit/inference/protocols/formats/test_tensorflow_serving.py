"""TensorFlow Serving: predict and classify to images, and outputs to answers."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError
from inference.preprocessing.digits import TensorImage
from inference.protocols.formats.tensorflow_serving import read_classify, read_predict
from inference.runtime.outputs import Outputs
from tests.support.fake_models import make_version

IMAGE = np.arange(784).reshape(28, 28) % 256
ROWS = IMAGE.tolist()
SCALED = (IMAGE / 255).tolist()
FILE = {"b64": base64.b64encode(b"png").decode()}
OUTPUTS = Outputs(np.array([[0.25, 0.75]], np.float32), [False], [1])


def only_image(images: Any) -> Any:
    [image] = images
    assert isinstance(image, TensorImage)
    return image.pixels


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [ROWS]},
        {"instances": [IMAGE.ravel().tolist()]},
        {"instances": [{"image": ROWS}]},
        {"inputs": [ROWS]},
        {"inputs": {"image": [ROWS]}},
        {"signature_name": "serving_default", "instances": [ROWS]},
        {"signature_name": "scaled", "instances": [SCALED]},
    ],
)
def test_numbers_are_read(document: dict[str, Any]) -> None:
    assert (only_image(read_predict(document).images) == IMAGE).all()


@pytest.mark.parametrize(
    "document",
    [{"instances": [FILE]}, {"instances": [{"image": FILE}]}, {"inputs": {"image": [FILE]}}],
)
def test_image_files_are_read(document: dict[str, Any]) -> None:
    assert read_predict(document).images == [b"png"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"instances": [ROWS], "inputs": [ROWS]},
        {"instances": []},
        {"instances": 5},
        {"instances": {"image": [ROWS]}},
        {"instances": [{"picture": ROWS}]},
        {"instances": [{"image": ROWS}, ROWS]},
        {"instances": [FILE, {"b64": FILE, "more": 1}]},
        {"instances": [{"b64": "no base64"}]},
        {"instances": [{"b64": 5}]},
        {"inputs": {"image": [ROWS], "more": 1}},
        {"instances": [SCALED]},
        {"signature_name": "other", "instances": [ROWS]},
        {"signature_name": ["scaled"], "instances": [ROWS]},
    ],
)
def test_predict_that_is_wrong_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError):
        read_predict(document)


def test_answers_have_the_form_of_the_question() -> None:
    version = make_version("a", version=2)
    for document, name in (({"instances": [ROWS]}, "predictions"), ({"inputs": [ROWS]}, "outputs")):
        answer = read_predict(document).encode("a", version, OUTPUTS)
        assert json.loads(answer.body) == {name: [[0.25, 0.75]]}
        assert answer.headers == ((b"x-model-version", b"a@2"),)


def test_classify_gives_all_classes_with_their_probabilities() -> None:
    question = read_classify({"examples": [{"image": ROWS}]})
    assert (only_image(question.images) == IMAGE).all()
    answer = question.encode("a", make_version("a"), OUTPUTS)
    assert json.loads(answer.body) == {"results": [[["x", 0.25], ["y", 0.75]]]}


@pytest.mark.parametrize("examples", [None, [], [ROWS], [{"x": ROWS}], [{}], {"image": ROWS}])
def test_classify_that_is_wrong_is_refused(examples: Any) -> None:
    with pytest.raises(MalformedRequestError):
        read_classify({"examples": examples})
