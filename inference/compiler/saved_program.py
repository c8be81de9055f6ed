"""Program of a SavedModel: reduced to what serves, and checked.

A SavedModel also has functions that serving never calls. Keras 2 writes one for the training of
every layer, with the random numbers of Dropout. They are removed, so TensorFlow reads only what was
checked. All operators that remain are checked, whether they run or not: a network has none that
reads, writes, prints or calls Python.
"""

from collections.abc import Iterable
from typing import Any

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from inference.compiler.config_validator import display_name
from inference.model_format.safe_open import RejectedModelError

SIGNATURES = "signatures"
OTHER_FLOATS = {
    types_pb2.DT_HALF: "float16",
    types_pb2.DT_BFLOAT16: "bfloat16",
    types_pb2.DT_DOUBLE: "float64",
}
# Operators of networks that Keras exports, and those that TensorFlow adds to store weights.
OPERATORS = frozenset(
    """
        Abs Add AddV2 AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd Cast
        ConcatV2 Const Conv2D Conv2DBackpropInput Cos Cumsum DepthwiseConv2dNative
        DisableCopyOnRead DivNoNan Elu EnsureShape Erf Erfc Exp ExpandDims Expm1 Fill FloorDiv
        FloorMod FusedBatchNormV3 GatherV2 Greater GreaterEqual Identity IdentityN
        ImageProjectiveTransformV3 LeakyRelu Less LessEqual Log Log1p LogSoftmax MatMul Max
        MaxPool Maximum Mean MergeV2Checkpoints Minimum Mul Neg NoOp OnesLike Pack Pad PadV2
        PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu Relu6 Reshape
        ResizeBilinear ResizeNearestNeighbor RestoreV2 ReverseV2 Rsqrt SaveV2 Select SelectV2
        Selu Shape ShardedFilename Sigmoid Sin Slice Softmax Softplus Softsign SpaceToBatchND
        Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall
        StatelessRandomGetKeyCounter StatelessRandomUniformV2 StaticRegexFullMatch StopGradient
        StridedSlice StringJoin Sub Sum Tan Tanh Tile TopKV2 Transpose VarHandleOp
        VarIsInitializedOp ZerosLike
    """.split()  # noqa: SIM905
)


def reduce_program(program: bytes) -> bytes:
    """Return a saved_model.pb that has only the functions that serve or run when it is loaded.

    Raises RejectedModelError unless all its operators are those of networks, and whatever its
    parser raises for other content.
    """
    saved = saved_model_pb2.SavedModel.FromString(program)
    for meta_graph in saved.meta_graphs:
        _remove_functions(meta_graph, _used_functions(meta_graph))
        library = meta_graph.graph_def.library
        nodes = [
            *meta_graph.graph_def.node,
            *(node for function in library.function for node in function.node_def),
        ]
        if unknown := {node.op for node in nodes} - OPERATORS:
            raise RejectedModelError(
                f"The model has the operator {display_name(min(unknown))}, which is not supported. "
                "Export only the network: no recurrent layers, and nothing that reads, writes, "
                "prints or calls Python."
            )
        for node in nodes:
            precision = OTHER_FLOATS.get(node.attr["T"].type) if "T" in node.attr else None
            if precision is not None:
                raise RejectedModelError(
                    f"The model computes in {precision}, but it is served in float32. "
                    "Save it as NAME.keras or NAME.h5, which can be changed to float32."
                )
    reduced: bytes = saved.SerializeToString()
    return reduced


def _used_functions(meta_graph: Any) -> set[str]:
    """Return the names of the functions that the signatures, resources or main graph call."""
    objects = meta_graph.object_graph_def.nodes
    parents = [objects[0], *(node for node in objects if node.WhichOneof("kind") == "resource")]
    found = set(_called(meta_graph.graph_def.node))
    for parent in parents:
        for child in parent.children:
            if parent is not objects[0] or child.local_name == SIGNATURES:
                found |= _functions_below(objects, child.node_id)
    library = meta_graph.graph_def.library
    bodies = {function.signature.name: function.node_def for function in library.function}
    pending = list(found)
    while pending:
        new = set(_called(bodies.get(pending.pop(), ()))) - found
        found |= new
        pending += new
    return found


def _functions_below(objects: Any, start: int) -> set[str]:
    """Return the names of the functions of an object and of those that it has as children."""
    names, seen, pending = set(), set(), [start]
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        names |= set(objects[index].function.concrete_functions)
        names.add(objects[index].bare_concrete_function.concrete_function_name)
        pending += [child.node_id for child in objects[index].children]
    return names


def _called(nodes: Iterable[Any]) -> Iterable[str]:
    """Yield the names of the functions that nodes of a graph have as attributes."""
    for node in nodes:
        for value in node.attr.values():
            yield value.func.name
            yield from (function.name for function in value.list.func)


def _remove_functions(meta_graph: Any, used: set[str]) -> None:
    """Remove all functions but the used ones, and the objects that stand for them."""
    library, graph = meta_graph.graph_def.library, meta_graph.object_graph_def
    kept = [function for function in library.function if function.signature.name in used]
    del library.function[:], library.gradient[:], library.registered_gradients[:]
    library.function.extend(kept)
    for node in [node for function in kept for node in function.node_def]:
        node.attr.pop("_gradient_op_type", None)  # names a removed function
    for name in set(graph.concrete_functions) - used:
        del graph.concrete_functions[name]
    for node in graph.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            names = [name for name in node.function.concrete_functions if name in used]
            node.function.concrete_functions[:] = names
        elif (
            kind == "bare_concrete_function"
            and node.bare_concrete_function.concrete_function_name not in used
        ) or (kind == "captured_tensor" and node.captured_tensor.concrete_function not in used):
            del node.children[:]
            node.user_object.identifier = "_generic_user_object"
            node.user_object.version.producer = 1
