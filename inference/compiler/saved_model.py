"""A SavedModel -> LiteRT, in the child of compiler.py.

A SavedModel is a program, and to read it is to run some of it.

So its operators are checked first, all that is in it, run or not: a network has none that reads,
writes, prints or calls Python. What gets by nevertheless is shut in with the child.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from inference.compiler.keras_validator import shown
from inference.model_format.safe_open import RejectedModelError

PROGRAM = "saved_model.pb"
SIGNATURE = "serving_default"
# What the networks that Keras exports consist of, and what TensorFlow adds to store their weights.
OPERATORS = frozenset(
    """
        Abs Add AddV2 AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd Cast ConcatV2 Const Conv2D
        Conv2DBackpropInput Cos Cumsum DepthwiseConv2dNative DisableCopyOnRead Elu EnsureShape Erfc Exp ExpandDims Expm1
        Fill FloorMod FusedBatchNormV3 GatherV2 Greater GreaterEqual Identity IdentityN ImageProjectiveTransformV3
        LeakyRelu Less LessEqual Log Log1p LogSoftmax MatMul Max MaxPool Maximum Mean MergeV2Checkpoints Minimum Mul Neg
        NoOp Pack Pad PadV2 PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu Relu6 Reshape
        ResizeBilinear ResizeNearestNeighbor RestoreV2 ReverseV2 Rsqrt SaveV2 Select SelectV2 Selu Shape ShardedFilename
        Sigmoid Sin Slice Softmax Softplus Softsign SpaceToBatchND Sqrt Square SquaredDifference Squeeze
        StatefulPartitionedCall StatelessRandomGetKeyCounter StatelessRandomUniformV2 StaticRegexFullMatch StopGradient
        StridedSlice StringJoin Sub Sum Tan Tanh Tile TopKV2 Transpose VarHandleOp VarIsInitializedOp ZerosLike
    """.split()  # noqa: SIM905
)


class SavedNetwork:
    """The function of a SavedModel, as a Keras model is looked at where one is compiled."""

    def __init__(self, program: Any) -> None:
        """Take the function that serves. Raises RejectedModelError where there is none."""
        if SIGNATURE not in program.signatures:
            raise RejectedModelError(
                f"It has no signature {SIGNATURE}; save it with model.export('NAME')."
            )
        self._program = program
        self._function = program.signatures[SIGNATURE]
        named = self._function.structured_input_signature[1]
        self._input = next(iter(named), "")
        self.inputs = list(named.values())
        self.outputs = list(self._function.structured_outputs.values())

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of its first input, the batch first."""
        return _shape(self.inputs[0])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of its first output, the batch first."""
        return _shape(self.outputs[0])

    def count_params(self) -> int:
        """Return how many numbers it has learnt."""
        return sum(variable.shape.num_elements() for variable in self._function.variables)

    def __call__(self, values: NDArray[np.float32], **_: bool) -> NDArray[np.float32]:
        """Return its answers, float32 of shape (n, classes).

        One image at a time, for it may take no more.
        """
        answers = [
            next(iter(self._function(**{self._input: tf.constant(value[np.newaxis])}).values()))
            for value in values
        ]
        return np.concatenate(answers)

    def to_litert(self) -> bytes:
        """Return it as a LiteRT flatbuffer of LiteRT's own operators."""
        return bytes(
            tf.lite.TFLiteConverter.from_concrete_functions(
                [self._function], self._program
            ).convert()
        )


def load(contents: Mapping[str, bytes]) -> SavedNetwork:
    """Return the network of a SavedModel's files, by their names in it.

    Raises RejectedModelError and whatever TensorFlow raises.
    """
    check_operators(contents[PROGRAM])
    with tempfile.TemporaryDirectory() as directory:
        for name, content in contents.items():
            path = Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return SavedNetwork(tf.saved_model.load(directory))


def check_operators(program: bytes) -> None:
    """Raise RejectedModelError unless a saved_model.pb consists of what networks consist of, and what its
    parser raises for none.
    """
    saved = saved_model_pb2.SavedModel.FromString(program)
    for graph in (each.graph_def for each in saved.meta_graphs):
        nodes = [
            *graph.node,
            *(node for function in graph.library.function for node in function.node_def),
        ]
        if unknown := {node.op for node in nodes} - OPERATORS:
            raise RejectedModelError(
                f"It has the operator {shown(min(unknown))}, which is not on the list of what networks consist of; export the "
                "network alone, without what reads, writes, prints or calls Python."
            )


def _shape(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
