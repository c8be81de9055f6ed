"""Conversion: a LiteRT model agrees with its Keras model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from inference.compiler import conversion
from inference.compiler.child_errors import CompilationError
from inference.compiler.conversion import compile_keras, measure_parity, to_litert, upgrade_h5
from inference.model_format.card import (
    KERAS_FILE,
    LITERT_FILE,
    MAX_ABS_DIFFERENCE,
    Parity,
    file_record,
)
from inference.runtime.flatbuffer_validator import check_flatbuffer
from inference.runtime.network import Network
from tests.corpus.keras2_models import keras2_file, keras2_h5, separable_model
from tests.corpus.keras_models import GOOD

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)

# Keras's use of __array__ makes NumPy 2 warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def model() -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28)),
            layers.Rescaling(1 / 255),
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(2, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def test_measure_parity_of_a_converted_model_holds(model: Any) -> None:
    parity = measure_parity(model, to_litert(model), IMAGES)
    assert (parity.images, parity.holds) == (len(IMAGES), True)


def test_measure_parity_with_another_model_fails(model: Any) -> None:
    other = keras.models.clone_model(model)  # with other random weights
    assert not measure_parity(other, to_litert(model), IMAGES).holds


def test_to_litert_needs_no_shape_operators(model: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415

    flatbuffer = to_litert(model)
    check_flatbuffer(flatbuffer)
    converted: Any = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    codes = {code.builtinCode for code in converted.operatorCodes}
    assert schema.BuiltinOperator.SHAPE not in codes


def test_compile_keras_returns_the_card_of_both_files() -> None:
    content = GOOD.read_bytes()
    card, flatbuffer = compile_keras(content, {"experiment": "a", "task": "letters"})
    assert (card.experiment, card.task, card.parity.holds) == ("a", "letters", True)
    assert card.files == {KERAS_FILE: file_record(content), LITERT_FILE: file_record(flatbuffer)}


@pytest.mark.parametrize(
    ("difference", "reason"),
    [(0.5, r"by 5\.0e-01\. The converter is at fault, not the model"), (5e-5, "scale.*Rescaling")],
)
def test_compile_keras_without_parity_blames_the_cause(
    monkeypatch: pytest.MonkeyPatch, difference: float, reason: str
) -> None:
    def differ(*_: object) -> Parity:
        return Parity(64, difference, equal_argmax=True)

    monkeypatch.setattr(conversion, "measure_parity", differ)
    with pytest.raises(CompilationError, match=reason):
        compile_keras(GOOD.read_bytes(), {})


def saved(model: Any, folder: Path) -> bytes:
    model.save(folder / "model.keras")
    return (folder / "model.keras").read_bytes()


def probabilities(content: bytes) -> NDArray[np.float32]:
    """Compile a Keras file, and return its probabilities of IMAGES as LiteRT."""
    card, flatbuffer = compile_keras(content, {"experiment": "a"})
    network = Network(flatbuffer, len(card.classes), card.input, card.output)
    return network.probabilities(IMAGES)


def assert_served(model: Any, folder: Path, tolerance: float = 1e-5) -> None:
    """Check that LiteRT has the answers that Keras gave when the model was saved."""
    batch = np.repeat(IMAGES[:1], model.input_shape[0] or 1, axis=0)
    expected = np.asarray(model(batch.reshape(-1, *model.input_shape[1:])), np.float32)
    actual = probabilities(saved(model, folder))
    assert np.abs(expected[0] - actual[0]).max() <= tolerance


@pytest.mark.parametrize("is_nested", [False, True])
def test_compile_keras_keeps_an_adapted_normalization(tmp_path: Path, is_nested: bool) -> None:  # noqa: FBT001
    layers = keras.layers
    normalization = layers.Normalization(axis=None)
    normalization.adapt(IMAGES.astype(np.float32))
    first = [layers.Input((28, 28)), normalization]
    start = [layers.Input((28, 28)), keras.Sequential(first)] if is_nested else first
    model = keras.Sequential([*start, layers.Flatten(), layers.Dense(10, "softmax")])
    assert_served(model, tmp_path)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"]
)
def test_compile_keras_of_another_precision_serves_float32(tmp_path: Path, policy: str) -> None:
    layers = keras.layers
    parts = [layers.Rescaling(1 / 255, dtype=policy), layers.Flatten(dtype=policy)]
    dense = layers.Dense(10, "softmax", dtype=policy)
    model = keras.Sequential([layers.Input((28, 28)), *parts, dense])
    assert_served(model, tmp_path, 1e-5 if policy == "float64" else 0.01)


@pytest.mark.parametrize("batch", [1, 64])
def test_compile_keras_of_a_fixed_batch_serves_any(tmp_path: Path, batch: int) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10, "softmax")]
    )
    model.build((batch, 28, 28))
    assert_served(model, tmp_path)


def test_compile_keras_of_an_integer_input_serves(tmp_path: Path) -> None:
    layers = keras.layers
    pixels = layers.Input((28, 28), dtype="uint8", name="pixels of a digit")
    dense = layers.Dense(10, "softmax")(layers.Flatten()(layers.Rescaling(1 / 255)(pixels)))
    assert_served(keras.Model(pixels, dense, name="a model"), tmp_path)


def test_compile_keras_with_operations_serves(tmp_path: Path) -> None:
    ops, layers = keras.ops, keras.layers
    pixels = layers.Input((28, 28))
    scaled = ops.expand_dims((pixels - np.array([127.5], np.float32)) / 127.5, -1)
    features = layers.Conv2D(3, 5, activation=tf.nn.relu)(scaled[:, 2:, 2:])
    pooled = ops.mean(ops.relu6(features + 0.5), axis=(1, 2))
    model = keras.Model(pixels, ops.softmax(layers.Dense(10)(pooled)))
    assert_served(model, tmp_path)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not:UserWarning")
def test_compile_keras_without_input_gives_the_reason(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    with pytest.raises(CompilationError, match=r"Begin it with keras\.Input\(\(28, 28\)\)"):
        compile_keras(saved(model, tmp_path), {})


def test_compile_keras_that_mixes_the_batch_gives_the_reason(tmp_path: Path) -> None:
    pixels = keras.layers.Input((28, 28))
    scaled = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    mixed = scaled - keras.ops.mean(scaled, axis=0, keepdims=True)
    model = keras.Model(pixels, keras.layers.Dense(10, "softmax")(mixed))
    with pytest.raises(CompilationError, match="depends on the other images of the batch"):
        compile_keras(saved(model, tmp_path), {"experiment": "a"})


def test_measure_parity_limit_grows_with_the_logits() -> None:
    """A Dense layer on pixels of 0 to 255 differs by some 3e-5 between two probable classes."""
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, "softmax")]
    )
    small = measure_parity(model, to_litert(model), IMAGES)
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 20)
    large = measure_parity(model, to_litert(model), IMAGES)
    assert small.limit >= MAX_ABS_DIFFERENCE
    assert 10 * small.limit < large.limit < 1e-2
    assert large.holds
    assert model.layers[-1].activation is keras.activations.softmax


@pytest.mark.slow
def test_upgrade_h5_of_keras_2_gives_equal_answers(tmp_path: Path) -> None:
    config, model = separable_model()
    keras2_h5(tmp_path / "old.h5", config, model)
    upgraded = upgrade_h5((tmp_path / "old.h5").read_bytes())
    expected = np.asarray(model(IMAGES[..., np.newaxis].astype(np.float32)))
    assert np.abs(probabilities(upgraded) - expected).max() < 1e-5
    assert np.abs(probabilities(keras2_file(config, model)) - expected).max() < 1e-5
