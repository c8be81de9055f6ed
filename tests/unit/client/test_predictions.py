"""Predictions: each kind of image, and the entry or table that comes back."""

import io
from pathlib import Path

import ml_ops_starter_client as client
import numpy as np
import pytest
from PIL import Image

from tests.support.fake_tracking import FakeTracking

ENTRY = {
    "index": 0,
    "image_digest": "a",
    "warnings": [],
    "answers": [
        {
            "experiment_name": "lenet",
            "version": 1,
            "class": "7",
            "confidence": 0.9,
            "probabilities": {"7": 0.9},
        },
        {"experiment_name": "gone", "problem": {"status": 404, "detail": "Unknown model."}},
    ],
    "consensus": {"mnist": None},
}


@pytest.fixture
def predictor(service: FakeTracking) -> FakeTracking:
    service.answers["/predictions"] = {"predictions": [ENTRY], "milliseconds": 1}
    return service


def test_predict_returns_the_entry(predictor: FakeTracking, digits: dict[str, bytes]) -> None:
    assert client.predict(digits["7"]) == ENTRY
    body = predictor.requests[-1][2]
    assert body["query"] == {"experiments": ["all"], "log": ["true"]}
    assert digits["7"] in body["content"].encode("latin-1")
    client.predict(digits["7"], ["champion", "lenet@2"], log=False)
    assert predictor.requests[-1][2]["query"] == {
        "experiments": ["champion", "lenet@2"],
        "log": ["false"],
    }


def test_predict_takes_paths_files_and_pillow(
    predictor: FakeTracking, digits: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "7.png"
    path.write_bytes(digits["7"])
    for image in (path, str(path), io.BytesIO(digits["7"]), bytearray(digits["7"])):
        client.predict(image)
        assert digits["7"] in predictor.requests[-1][2]["content"].encode("latin-1")
    client.predict(Image.open(path))
    assert b"\x89PNG" in predictor.requests[-1][2]["content"].encode("latin-1")


def test_predict_takes_arrays_of_integers_and_floats(predictor: FakeTracking) -> None:
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28)
    for array in (pixels, pixels[..., None], (pixels / 255).astype("float32")):
        client.predict(array)
        assert predictor.requests[-1][2]["images"] == [pixels.tolist()]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((10, 10)), "shape"),
        (np.full((28, 28), 300), "outside"),
        (np.full((28, 28), 2.5), "outside"),
        (np.full((28, 28), np.nan), "outside"),
    ],
)
def test_predict_with_unusable_array_raises(array: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        client.predict(array)


def test_predict_with_other_object_raises() -> None:
    with pytest.raises(TypeError, match="dict is not an image"):
        client.predict({})


@pytest.mark.usefixtures("predictor")
def test_predict_with_frame_has_a_row_per_model(digits: dict[str, bytes]) -> None:
    table = client.predict(digits["7"], frame=True)
    assert list(table["experiment_name"]) == ["lenet", "gone"]
    assert table.loc[0, "p_7"] == 0.9
    assert list(table["problem"])[1] == "Unknown model."


def test_predict_with_unreadable_image_raises(predictor: FakeTracking) -> None:
    problem = {"status": 415, "detail": "The file is not a supported image."}
    predictor.answers["/predictions"] = {"predictions": [{"index": 0, "problem": problem}]}
    with pytest.raises(client.ApiProblemError, match="not a supported image"):
        client.predict(b"text")
