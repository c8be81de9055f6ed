"""Flatbuffer validator: rejected models have a reason, and accepted ones crash no process."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.safe_open import RejectedModelError
from inference.runtime.flatbuffer_validator import NAMES, check_flatbuffer
from inference.runtime.network import Network, UnservableModelError
from tests.conftest import SHIPPED
from tests.corpus.flatbuffers import corpus

ROOT = Path(__file__).parents[4]
MUTANTS = 600


@pytest.mark.parametrize(
    "path", sorted(SHIPPED.glob("*/model.tflite")), ids=lambda path: str(path.parent.name)
)
def test_check_flatbuffer_accepts_shipped_models(path: Path) -> None:
    check_flatbuffer(path.read_bytes())


def test_check_flatbuffer_rejects_hostile_models_with_reasons() -> None:
    reasons = {}
    for name, content in corpus().items():
        try:
            check_flatbuffer(content)
            reasons[name] = "accepted"
        except RejectedModelError as error:
            reasons[name] = str(error)
    assert {
        name: reason
        for name, reason in reasons.items()
        if not reason.endswith(".") or len(reason) > 200
    } == {}
    assert len(reasons) >= 40


def test_network_validates_its_flatbuffer() -> None:
    with pytest.raises(UnservableModelError, match="an operator FULLY_CONNECTED lacks an input"):
        Network(corpus()["a layer without its weights"], 10)


@pytest.mark.slow
def test_accepted_mutants_crash_no_process() -> None:
    words = [sys.executable, "-m", "tests.corpus.flatbuffers", "1", str(MUTANTS)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-1000:]
    ran, failed, refused = map(int, done.stdout.split())
    assert min(ran, failed, refused) > 0, "otherwise the test proves nothing"


def test_operator_codes_are_those_of_litert() -> None:
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415

    assert {
        code: name for name, code in vars(schema.BuiltinOperator).items() if code in NAMES
    } == NAMES


@pytest.mark.slow
# Keras's use of __array__ makes NumPy 2 warn.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:You are using a softmax over axis"
)
def test_check_flatbuffer_accepts_all_converted_keras_layers() -> None:
    import keras  # noqa: PLC0415

    from inference.compiler.config_validator import ACTIVATIONS  # noqa: PLC0415
    from inference.compiler.conversion import to_litert  # noqa: PLC0415

    layers = keras.layers

    def model(start: Any, *more: Any) -> Any:
        return keras.Sequential([start, *more, layers.Flatten(), layers.Dense(10, "softmax")])

    def merged(image: Any) -> Any:
        sides = [layers.Dense(4)(layers.Flatten()(image)) for _ in range(2)]
        kinds = (
            layers.Add,
            layers.Average,
            layers.Maximum,
            layers.Minimum,
            layers.Multiply,
            layers.Subtract,
        )
        return keras.Model(
            image,
            layers.Dense(10, "softmax")(layers.Concatenate()([kind()(sides) for kind in kinds])),
        )

    plane = [
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(4, 3, padding="same"),
        layers.Conv2DTranspose(4, 3, strides=2),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.UnitNormalization(),
        layers.Normalization(mean=1.0, variance=2.0),
        layers.PReLU(),
        layers.ReLU(3.0, negative_slope=0.1, threshold=0.5),
        layers.ZeroPadding2D(),
        layers.Cropping2D(2),
        layers.UpSampling2D(),
        layers.UpSampling2D(interpolation="bilinear"),
        layers.MaxPooling2D(),
        layers.AveragePooling2D(2),
        layers.Permute((3, 1, 2)),
        layers.Softmax(),
        layers.GlobalAveragePooling2D(),
        layers.RepeatVector(3),
    ]
    line = [
        layers.Conv1D(4, 3, padding="causal"),
        layers.DepthwiseConv1D(3),
        layers.SeparableConv1D(4, 3),
        layers.Dense(8),
    ]
    pools = [layers.MaxPooling1D(), layers.AveragePooling1D(2), layers.GlobalMaxPooling1D()]
    needing_arguments = {"glu", "threshold"}
    activations = [layers.Activation(name) for name in sorted(ACTIVATIONS - needing_arguments)]
    for each in (
        model(layers.Input((28, 28, 1)), *plane),
        model(layers.Input((28, 28)), *line, *pools),
        model(layers.Input((28, 28)), *activations),
        merged(layers.Input((28, 28))),
    ):
        check_flatbuffer(to_litert(each))
