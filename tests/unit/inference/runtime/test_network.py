"""LiteRT network: batches of any size, from one thread or several."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.model_format.card import DIGITS, InputSpec
from inference.runtime import network as engine
from inference.runtime.network import BATCH, Network, UnservableModelError, to_input
from tests.conftest import SHIPPED

IMAGES = np.random.default_rng(0).integers(0, 256, (3 * BATCH, 28, 28), np.uint8)
MODELS = (
    "mnist_experiment_1__softmax_regression",
    "mnist_experiment_12__lenet5",
    "mnist_experiment_28__deep_cnn_8_16_32_short",
)


@pytest.fixture(params=MODELS)
def network(request: pytest.FixtureRequest) -> Network:
    """A newly loaded shipped network."""
    return Network((SHIPPED / request.param / "model.tflite").read_bytes(), len(DIGITS))


def test_probabilities_are_bit_equal_for_every_batch_size(
    network: Network,
) -> None:
    alone = np.concatenate([network.probabilities(image[np.newaxis]) for image in IMAGES])
    for size in [*range(2, BATCH + 3), len(IMAGES)]:
        assert (network.probabilities(IMAGES[:size]) == alone[:size]).all()
        assert (network.probabilities(IMAGES[-size:]) == alone[-size:]).all()


def test_probabilities_from_threads_equal_single_calls(
    network: Network,
) -> None:
    alone = network.probabilities(IMAGES)
    with ThreadPoolExecutor(4) as pool:
        sizes = [1 + number % len(IMAGES) for number in range(200)]
        together = list(pool.map(lambda size: network.probabilities(IMAGES[:size]), sizes))
    assert all(
        (outputs == alone[:size]).all() for outputs, size in zip(together, sizes, strict=True)
    )


def test_network_with_fixed_batch_of_one_runs_any_number(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = network.probabilities(IMAGES)
    call = engine._ResizableInterpreter.__call__

    def of_one(
        caller: engine._ResizableInterpreter, values: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        outputs = call(caller, values)
        if len(values) > 1:
            raise ValueError("Cannot set tensor: Dimension mismatch.")
        return outputs

    monkeypatch.setattr(engine._ResizableInterpreter, "__call__", of_one)
    assert (network.probabilities(IMAGES) == alone).all()
    assert (network.probabilities(IMAGES[:3]) == alone[:3]).all()


def test_network_with_infinite_outputs_is_rejected() -> None:
    import keras  # noqa: PLC0415  # only this test needs TensorFlow, which takes seconds

    from inference.compiler.conversion import to_litert  # noqa: PLC0415

    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((28, 28)), layers.Flatten(), layers.Dense(10), layers.Softmax()]
    )
    model.set_weights([np.resize([3e38, -3e38], (784, 10)), np.zeros(10)])
    with pytest.raises(UnservableModelError, match="not finite"):
        Network(to_litert(model), 10)


def test_to_input_applies_scale_offset_and_invert() -> None:
    values = to_input(IMAGES[:2], InputSpec(scale=2 / 255, offset=-1, invert=True))
    assert values.dtype == np.float32
    assert np.abs(values - ((255.0 - IMAGES[:2]) / 127.5 - 1)).max() < 1e-6


def test_to_input_pads_with_background() -> None:
    values = to_input(IMAGES[:2], InputSpec(32, 33, fit="pad", invert=True))
    expected = np.pad(255 - IMAGES[:2], ((0, 0), (2, 2), (2, 3)), constant_values=255)
    assert (values == expected).all()
    assert (to_input(IMAGES[:2], InputSpec(fit="pad")) == IMAGES[:2]).all()


def test_to_input_exchanges_rows_and_columns_before_padding() -> None:
    values = to_input(IMAGES[:2], InputSpec(30, 28, fit="pad", transpose=True))
    assert values.flags.c_contiguous
    assert (values[:, 1:29] == IMAGES[:2].transpose(0, 2, 1)).all()


@pytest.mark.parametrize(("layout", "axis"), [("channels_last", 3), ("channels_first", 1)])
def test_to_input_repeats_channels(layout: str, axis: int) -> None:
    values = to_input(IMAGES[:2], InputSpec(channels=3, layout=layout))
    assert values.shape[axis] == 3
    assert all((channel == IMAGES[:2]).all() for channel in np.moveaxis(values, axis, 0))
