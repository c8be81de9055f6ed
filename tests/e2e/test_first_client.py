"""Client of the first version, unchanged, against all served experiments.

The answers must match Keras.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image

from inference.model_format.card import Card
from inference.runtime.network import to_input
from tests.conftest import SHIPPED
from tests.e2e.conftest import RunningStack

DIGITS = 100


@pytest.fixture(scope="module")
def pixels(digits: dict[str, bytes]) -> NDArray[np.uint8]:
    """Return uint8 digits (DIGITS, 28, 28).

    They are the first test digits of MNIST if MNIST_PATH is set, otherwise drawn ones with noise.
    """
    if path := os.environ.get("MNIST_PATH"):
        with np.load(path) as mnist:
            test_digits: NDArray[np.uint8] = mnist["x_test"][:DIGITS]
            return test_digits
    drawn = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in digits.values()])
    noise = np.random.default_rng(0).normal(0, 20, (DIGITS, 28, 28))
    noisy = np.resize(drawn, noise.shape) + noise
    noisy[:, [0, -1]] = 0  # a light border would be taken for a light background
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.timeout(600)
def test_inference_matches_keras_for_all_experiments(
    stack: RunningStack, pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    import keras  # noqa: PLC0415  # TensorFlow takes seconds, and only this test needs it

    url = f"{stack.api_url}/inference"
    names = [
        model["name"]
        for model in requests.get(f"{stack.api_url}/models", timeout=10).json()["models"]
        if model["state"] == "READY"
    ]
    assert len(names) >= 24
    for number, digit in enumerate(pixels):
        Image.fromarray(digit).save(tmp_path / f"{number}.png")
    for name in names:
        model = keras.saving.load_model(SHIPPED / name / "model.keras", compile=False)
        card = Card.read(SHIPPED / name / "card.json")
        expected = np.asarray(model(to_input(pixels, card.input))).argmax(axis=1)
        answers = []
        for number in range(len(pixels)):
            with (tmp_path / f"{number}.png").open("rb") as f:
                answers.append(
                    requests.post(
                        url + "?experiment_name=" + name, files={"image_blob": f}, timeout=10
                    ).json()["class"]
                )
        assert answers == [card.classes[label] for label in expected], name
