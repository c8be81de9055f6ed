"""SavedModel reader: shapes, outputs and the operator check, in this process.

Hostile programs are tested in tests/integration/models/test_hostile_saved_models.py.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from inference.compiler import saved_model
from inference.compiler.process import SAVED_MODEL_FILES
from inference.model_format.safe_open import RejectedModelError
from inference.runtime.flatbuffer_validator import check_flatbuffer
from tests.corpus.saved_models import Digits, probabilities, saved

IMAGES = np.random.default_rng(0).random((3, 28, 28), np.float32)


def contents(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in SAVED_MODEL_FILES}


def test_load_returns_the_serving_function(tmp_path: Path) -> None:
    module = saved(tmp_path / "model")
    network = saved_model.load(contents(tmp_path / "model"))
    assert (network.input_shape, network.output_shape) == ((None, 28, 28), (None, 10))
    assert network.count_params() == 784 * 10
    assert np.allclose(network(IMAGES), module.serve(tf.constant(IMAGES)), atol=1e-6)
    check_flatbuffer(network.to_litert())


def test_load_without_a_serving_function_is_rejected(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), signatures={})
    with pytest.raises(RejectedModelError, match="no signature serving_default"):
        saved_model.load(contents(tmp_path / "model"))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tf.TensorSpec((32, 28, 28), tf.float32), "exactly 32 images at once"),
        (tf.TensorSpec((None, 28, 28), tf.uint8), "takes uint8, but it must take float32"),
    ],
)
def test_load_with_an_unservable_input_is_rejected(
    tmp_path: Path, spec: tf.TensorSpec, reason: str
) -> None:
    saved(
        tmp_path / "model",
        lambda self, image: probabilities(self, tf.cast(image, tf.float32)),
        spec=spec,
    )
    with pytest.raises(RejectedModelError, match=reason):
        saved_model.load(contents(tmp_path / "model"))


def test_load_of_a_model_with_training_functions_serves(tmp_path: Path) -> None:
    """As in SavedModels of Keras 2, where each Dropout has a function with random numbers."""
    module = Digits(probabilities)
    module.train = tf.function(
        lambda image: tf.nn.dropout(probabilities(module, tf.identity(image)), 0.5),
        input_signature=[tf.TensorSpec((None, 28, 28), tf.float32)],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.serve)
    network = saved_model.load(contents(tmp_path / "model"))
    assert np.allclose(network(IMAGES), module.serve(tf.constant(IMAGES)), atol=1e-6)
    check_flatbuffer(network.to_litert())
