"""Conversion: a LiteRT model agrees with its Keras model."""

from typing import Any

import keras
import numpy as np
import pytest

from inference.compiler import conversion
from inference.compiler.conversion import compile_keras, measure_parity, to_litert
from inference.compiler.process import CompilationError
from inference.model_format.card import KERAS_FILE, LITERT_FILE, Parity, file_record
from inference.runtime.flatbuffer_validator import check_flatbuffer
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


def test_compile_keras_without_parity_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(*_: object) -> Parity:
        return Parity(64, 0.5, equal_argmax=True)

    monkeypatch.setattr(conversion, "measure_parity", differ)
    with pytest.raises(CompilationError, match=r"differ by 5\.0e-01"):
        compile_keras(GOOD.read_bytes(), {})
