"""SavedModel reader: loads the checked program of a SavedModel and converts it to LiteRT.

Runs in the compiler's child. A SavedModel is a program, and loading it runs part of it.
saved_program.py checks it first. The sandbox confines whatever passes this check.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from inference.compiler.saved_program import reduce_program
from inference.model_format.safe_open import RejectedModelError

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"


class SavedNetwork:
    """The serving function of a SavedModel, with the interface of a Keras model."""

    def __init__(self, program: Any) -> None:
        """Find the serving function. Raises RejectedModelError when there is none."""
        if SIGNATURE not in program.signatures:
            raise RejectedModelError(
                f"The model has no signature {SIGNATURE}. Save it with model.export('NAME')."
            )
        self._program = program
        self._function = program.signatures[SIGNATURE]
        named = self._function.structured_input_signature[1]
        self._input = next(iter(named), "")
        self.inputs = list(named.values())
        self.outputs = list(self._function.structured_outputs.values())
        kind = self.inputs[0].dtype if len(self.inputs) == 1 else tf.float32
        if kind != tf.float32:
            raise RejectedModelError(
                f"The model takes {kind.name}, but it must take float32. "
                "Save it as NAME.keras or NAME.h5, whose input can be changed to float32."
            )
        batch = self.input_shape[0] if len(self.inputs) == 1 and self.input_shape else None
        if batch not in (None, 1):
            raise RejectedModelError(
                f"The model takes exactly {batch} images at once. Build it with "
                "keras.Input((28, 28)), without a batch size, and save it again."
            )

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the first input, with the batch first."""
        return _shape(self.inputs[0])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the first output, with the batch first."""
        return _shape(self.outputs[0])

    def count_params(self) -> int:
        """Return the number of trained parameters."""
        return sum(variable.shape.num_elements() for variable in self._function.variables)

    def __call__(self, values: NDArray[np.float32], **_: bool) -> NDArray[np.float32]:
        """Return the outputs, float32 of shape (n, classes).

        Images run one at a time, because the function may accept only one.
        """
        outputs = [
            next(iter(self._function(**{self._input: tf.constant(value[np.newaxis])}).values()))
            for value in values
        ]
        return np.concatenate(outputs)

    def to_litert(self) -> bytes:
        """Return a LiteRT flatbuffer with only LiteRT's built-in operators."""
        return bytes(
            tf.lite.TFLiteConverter.from_concrete_functions(
                [self._function], self._program
            ).convert()
        )


def load(contents: Mapping[str, bytes]) -> SavedNetwork:
    """Return the network of a SavedModel.

    `contents` holds its files by name. Raises RejectedModelError and whatever TensorFlow raises.
    """
    contents = {**contents, PROGRAM: reduce_program(contents[PROGRAM])}
    # In TensorFlow 2.21, the fusion of operators gives a LeakyReLU after an addition another slope.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    with tempfile.TemporaryDirectory() as directory:
        for name, content in contents.items():
            path = Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return SavedNetwork(tf.saved_model.load(directory))


def _shape(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
