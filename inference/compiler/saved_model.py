"""SavedModel reader: checks the operators of a SavedModel, loads it and converts it to LiteRT.

Runs in the compiler's child. A SavedModel is a program, and loading it runs part of it. All of its
operators are checked first, whether they run or not: a network has none that reads, writes, prints
or calls Python. The sandbox confines whatever passes this check.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from inference.compiler.config_validator import display_name
from inference.model_format.safe_open import RejectedModelError

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"
# Operators of networks that Keras exports, and those that TensorFlow adds to store weights.
OPERATORS = frozenset(
    """
        Abs Add AddV2 AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd Cast
        ConcatV2 Const Conv2D Conv2DBackpropInput Cos Cumsum DepthwiseConv2dNative
        DisableCopyOnRead Elu EnsureShape Erfc Exp ExpandDims Expm1 Fill FloorMod
        FusedBatchNormV3 GatherV2 Greater GreaterEqual Identity IdentityN
        ImageProjectiveTransformV3 LeakyRelu Less LessEqual Log Log1p LogSoftmax MatMul Max
        MaxPool Maximum Mean MergeV2Checkpoints Minimum Mul Neg NoOp Pack Pad PadV2
        PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu Relu6 Reshape
        ResizeBilinear ResizeNearestNeighbor RestoreV2 ReverseV2 Rsqrt SaveV2 Select SelectV2
        Selu Shape ShardedFilename Sigmoid Sin Slice Softmax Softplus Softsign SpaceToBatchND
        Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall
        StatelessRandomGetKeyCounter StatelessRandomUniformV2 StaticRegexFullMatch StopGradient
        StridedSlice StringJoin Sub Sum Tan Tanh Tile TopKV2 Transpose VarHandleOp
        VarIsInitializedOp ZerosLike
    """.split()  # noqa: SIM905
)


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
    check_operators(contents[PROGRAM])
    with tempfile.TemporaryDirectory() as directory:
        for name, content in contents.items():
            path = Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return SavedNetwork(tf.saved_model.load(directory))


def check_operators(program: bytes) -> None:
    """Raise RejectedModelError unless a saved_model.pb has only operators of networks.

    Raises whatever its parser raises for other content.
    """
    saved = saved_model_pb2.SavedModel.FromString(program)
    for graph in (meta_graph.graph_def for meta_graph in saved.meta_graphs):
        nodes = [
            *graph.node,
            *(node for function in graph.library.function for node in function.node_def),
        ]
        if unknown := {node.op for node in nodes} - OPERATORS:
            raise RejectedModelError(
                f"The model has the operator {display_name(min(unknown))}, which is not supported. "
                "Export only the network, without reading, writing, printing or calling Python."
            )


def _shape(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
