"""Model signature: declared and inferred inputs and outputs, from a Keras file to a result."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from inference.compiler.child_errors import CompilationError
from inference.compiler.conversion import compile_keras
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.repository import ModelRepository
from inference.models.version import State
from inference.runtime.network import UnservableModelError
from tests.unit.inference.conftest import Serve, eventually

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
COMPILE_SECONDS = 400

# Keras's use of __array__ makes NumPy 2 warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def model_of(shape: tuple[int, ...], classes: int = 10, *, softmax: bool = True) -> Any:
    """Return a small model with random weights that scales its own pixels."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax" if softmax else None),
        ]
    )


def compiled(model: Any, folder: Path, **declared: Any) -> Card:
    """Compile a model in this process and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / KERAS_FILE)
    card, flatbuffer = compile_keras(
        (folder / KERAS_FILE).read_bytes(), {"experiment": "m", **declared}
    )
    (folder / LITERT_FILE).write_bytes(flatbuffer)
    card.write(folder / CARD_FILE)
    return card


@pytest.mark.parametrize(
    "shape", [(28, 28), (28, 28, 1), (784,), (32, 20), (14, 14, 1), (32, 32), (1, 28, 28)]
)
def test_input_size_comes_from_the_model(
    serve: Serve, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    model = model_of(shape)
    card = compiled(model, tmp_path / "models" / "m")
    height, width = [side for side in shape if side > 1] if len(shape) > 1 else (28, 28)
    assert (card.input.height, card.input.width, card.parity.holds, card.output) == (
        height,
        width,
        True,
        "probabilities",
    )
    resized = [
        np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BILINEAR))
        for each in IMAGES
    ]
    expected = model(np.stack(resized).reshape(-1, *shape).astype(np.float32)).numpy()
    answer = serve(tmp_path / "models").snapshot().find("m").network().probabilities(IMAGES)
    assert np.abs(answer - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("shape", "layout"), [((32, 32, 3), "channels_last"), ((3, 32, 32), "channels_first")]
)
def test_three_channels_get_equal_values(
    serve: Serve, tmp_path: Path, shape: tuple[int, ...], layout: str
) -> None:
    model = model_of(shape)
    declared = {"scale": 2 / 255, "offset": -1, "fit": "pad"}
    card = compiled(model, tmp_path / "models" / "m", input=declared)
    assert (card.input.channels, card.input.layout, card.parity.holds) == (3, layout, True)
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2))).astype(np.float32) * 2 / 255 - 1
    axis = 1 if layout == "channels_first" else 3
    expected = model(np.repeat(np.expand_dims(padded, axis), 3, axis)).numpy()
    answer = serve(tmp_path / "models").snapshot().find("m").network().probabilities(IMAGES)
    assert np.abs(answer - expected).max() < 1e-5


def test_square_vector_needs_no_card(tmp_path: Path) -> None:
    card = compiled(model_of((1024,)), tmp_path)
    assert (card.input.height, card.input.width, card.parity.holds) == (32, 32, True)


def test_vector_input_takes_its_sides_from_the_card(tmp_path: Path) -> None:
    card = compiled(model_of((600,)), tmp_path, input={"height": 20, "width": 30})
    assert (card.input.height, card.input.width) == (20, 30)


def test_declared_logits_become_probabilities_with_parity(serve: Serve, tmp_path: Path) -> None:
    model = model_of((28, 28), softmax=False)
    card = compiled(model, tmp_path / "models" / "m", output="logits")
    assert (card.output, card.parity.holds) == ("logits", True)
    answer = serve(tmp_path / "models").snapshot().find("m").network().probabilities(IMAGES)
    expected = keras.ops.softmax(model(IMAGES.astype(np.float32))).numpy()
    assert np.abs(answer - expected).max() < 1e-5


def test_parity_applies_scale_and_invert_to_keras(tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((28, 28)), layers.Flatten(), layers.Dense(3), layers.Softmax()]
    )
    card = compiled(
        model,
        tmp_path,
        input={"scale": 1 / 255, "invert": True},
        classes=["a", "b", "c"],
        task="letters",
    )
    assert (card.parity.holds, card.input.invert, card.classes, card.task) == (
        True,
        True,
        ("a", "b", "c"),
        "letters",
    )


@pytest.mark.parametrize(
    ("shape", "declared", "reason"),
    [
        ((28, 28, 2), {}, r"image of shape \(28, 28, 2\)\. It must be \(height, width\)"),
        ((28, 28, 3), {"input": {"channels": 1}}, r"input\.channels of 3, but .* declares 1"),
        (
            (28, 28, 3),
            {"input": {"layout": "channels_first"}},
            r"input\.layout of channels_last, but .* declares channels_first",
        ),
        ((None, None, 1), {}, r"image of shape \(None, None, 1\)"),
        ((600,), {}, r"vector of 600 pixels\. Set input\.height and input\.width in card\.json"),
        (
            (28, 28),
            {"input": {"height": 32}},
            "takes images of 28x28, but card.json declares 32x28",
        ),
        ((28, 28), {"classes": ["even", "odd"]}, "10 outputs, but card.json names 2 classes"),
    ],
)
def test_card_contradicting_the_model_is_rejected_with_advice(
    tmp_path: Path, shape: tuple[int | None, ...], declared: dict[str, Any], reason: str
) -> None:
    layers = keras.layers
    pooled = [layers.GlobalAveragePooling2D()] if len(shape) == 3 else [layers.Flatten()]
    model = keras.Sequential([layers.Input(shape), *pooled, layers.Dense(10, activation="softmax")])
    with pytest.raises(CompilationError, match=reason):
        compiled(model, tmp_path, **declared)


def test_model_without_ten_outputs_must_declare_its_classes(tmp_path: Path) -> None:
    with pytest.raises(CompilationError, match=r"3 outputs.*Name its task and its classes"):
        compiled(model_of((28, 28), classes=3), tmp_path)


def test_undeclared_logits_are_rejected_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UnservableModelError, match='set "output": "logits" in its card'):
        compiled(model_of((28, 28), softmax=False), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(COMPILE_SECONDS)
def test_card_with_signature_only_compiles_and_changes_recompile(
    serve: Serve, tmp_path: Path
) -> None:
    def is_ready_for(directory: ModelRepository, *classes: str) -> bool:
        model = directory.snapshot().find("m")
        return (model.state, model.classes, model.update) == (State.READY, classes, None)

    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    model_of((28, 28), 2, softmax=False).save(folder / KERAS_FILE)
    contract = {
        "task": "parity",
        "classes": ["even", "odd"],
        "output": "logits",
        "metrics": {"test_accuracy": 0.75},
    }
    (folder / CARD_FILE).write_text(json.dumps(contract))
    directory = serve(tmp_path / "models")
    eventually(lambda: is_ready_for(directory, "even", "odd"), COMPILE_SECONDS)
    model = directory.snapshot().find("m")
    assert (model.task, model.output, model.test_accuracy) == ("parity", "logits", 0.75)
    assert not (folder / LITERT_FILE).exists(), "the service never writes to the model directory"
    (folder / CARD_FILE).write_text(json.dumps({**contract, "classes": ["0", "1"]}))
    eventually(lambda: is_ready_for(directory, "0", "1"), COMPILE_SECONDS)
