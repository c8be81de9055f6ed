"""Flatbuffer validator: accepts only the LiteRT models that the compiler writes.

LiteRT verifies that the offsets of a flatbuffer stay inside it, and trusts most of the rest. An
operator without a required input reads address 0, which kills the serving process. This validator
accepts one graph without loops, of known operators that find their inputs.

It also bounds the memory of intermediate results. XNNPACK trusts the sizes that a graph declares.
They may be wrong, so LiteRT computes them too, in the one way that allocates nothing.

Fields are addressed by slot: their position in LiteRT's schema (tensorflow/lite/schema).
"""

import struct
from collections.abc import Iterator
from math import prod

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError

IDENTIFIER = b"TFL3"
ITEM_BYTES = {0: 4, 2: 4, 6: 1}  # float32, int32, bool: the types that Keras layers convert to
MAX_PARTS = 10_000
# Limit of the intermediate results of one image. It equals the compiler's memory for each of its
# 64 parity images.
MAX_WORKING_BYTES = 64 * 2**20
# Operators that Keras layers and activations convert to, and further ones in SavedModels of
# networks. Names and numbers are those of BuiltinOperator in LiteRT's schema.
OPERATORS = {
    "ABS": 101, "ADD": 0, "AVERAGE_POOL_2D": 1, "BATCH_MATMUL": 126, "BATCH_TO_SPACE_ND": 37,
    "CAST": 53, "CONCATENATION": 2, "CONV_2D": 3, "CUMSUM": 128, "DEPTHWISE_CONV_2D": 4,
    "DIV": 42, "ELU": 111, "EXP": 47, "EXPAND_DIMS": 70, "FULLY_CONNECTED": 9, "GATHER": 36,
    "GELU": 150, "GREATER": 61, "GREATER_EQUAL": 62, "HARD_SWISH": 117, "L2_NORMALIZATION": 11,
    "LEAKY_RELU": 98, "LESS": 58, "LESS_EQUAL": 63, "LOG": 73, "LOGISTIC": 14, "LOG_SOFTMAX": 50,
    "MAXIMUM": 55, "MAX_POOL_2D": 17, "MEAN": 40, "MINIMUM": 57, "MUL": 18, "NEG": 59, "PACK": 83,
    "PAD": 34, "PADV2": 60, "POW": 78, "PRELU": 54, "REDUCE_MAX": 82, "REDUCE_PROD": 81,
    "RELU": 19, "RELU6": 21, "RELU_N1_TO_1": 20, "RESHAPE": 22, "RESIZE_BILINEAR": 23,
    "RESIZE_NEAREST_NEIGHBOR": 97, "RSQRT": 76, "SELECT_V2": 123, "SHAPE": 77, "SLICE": 65,
    "SOFTMAX": 25, "SPACE_TO_BATCH_ND": 38, "SQRT": 75, "SQUARE": 92, "SQUARED_DIFFERENCE": 99,
    "SQUEEZE": 43, "STRIDED_SLICE": 45, "SUB": 41, "SUM": 74, "TANH": 28, "TILE": 69,
    "TOPK_V2": 48, "TRANSPOSE": 39, "TRANSPOSE_CONV": 67, "ZEROS_LIKE": 93,
}  # fmt: skip
# Optional input of an operator, its bias. It is -1 when absent.
OPTIONAL_INPUT = {
    OPERATORS["CONV_2D"]: 2,
    OPERATORS["DEPTHWISE_CONV_2D"]: 2,
    OPERATORS["FULLY_CONNECTED"]: 2,
    OPERATORS["TRANSPOSE_CONV"]: 3,
}
NAMES = {code: name for name, code in OPERATORS.items()}
# Minimum number of inputs, for operators with more than one.
INPUTS = {
    2: """
        ADD BATCH_MATMUL CUMSUM DIV EXPAND_DIMS GATHER GREATER GREATER_EQUAL LESS
        LESS_EQUAL MAXIMUM MEAN MINIMUM MUL PAD POW PRELU REDUCE_MAX REDUCE_PROD RESHAPE
        RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SQUARED_DIFFERENCE SUB SUM TILE TOPK_V2
        TRANSPOSE
    """,
    3: """
        BATCH_TO_SPACE_ND CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED PADV2 SELECT_V2 SLICE
        SPACE_TO_BATCH_ND TRANSPOSE_CONV
    """,
    4: "STRIDED_SLICE",
}
MIN_INPUTS = {OPERATORS[name]: count for count, names in INPUTS.items() for name in names.split()}
OUTPUTS = {OPERATORS["TOPK_V2"]: 2}  # all others have one
VTABLE_HEAD_BYTES = 4
PUBLISH_KERAS = "Publish the Keras file instead."
DAMAGED = (
    "The LiteRT model is damaged or has another format. "
    "Copy it again, or publish the Keras file instead."
)


class _Table:
    """A table of a flatbuffer, with its fields by slot. Raises struct.error for outside reads."""

    def __init__(self, content: bytes, position: int, slots: int) -> None:
        """Read the table at a position. Raises RejectedModelError if it uses further slots."""
        self._content = content
        self._position = position
        vtable = position - _number("<i", content, position)
        size = _number("<H", content, vtable)
        self._offsets: tuple[int, ...] = ()
        if size > VTABLE_HEAD_BYTES:
            slots_format = f"<{(size - VTABLE_HEAD_BYTES) // 2}H"
            self._offsets = struct.unpack_from(slots_format, content, vtable + VTABLE_HEAD_BYTES)
        if any(self._offsets[slots:]):
            raise RejectedModelError(
                f"The LiteRT model has a part that the compiler does not write. {PUBLISH_KERAS}"
            )

    def number(self, slot: int, number_format: str) -> int:
        """Return a number, 0 when absent."""
        position = self._field(slot)
        return _number(number_format, self._content, position) if position else 0

    def size(self, slot: int) -> int:
        """Return the length of a vector, 0 when absent."""
        return _number("<I", self._content, self._target(slot)) if self._field(slot) else 0

    def numbers(self, slot: int) -> tuple[int, ...]:
        """Return a vector of int32. Raises RejectedModelError above MAX_PARTS."""
        size = self.size(slot)
        _check_size(size)
        return (
            struct.unpack_from(f"<{size}i", self._content, self._target(slot) + 4) if size else ()
        )

    def table(self, slot: int, slots: int) -> "_Table | None":
        """Return a table, None when absent."""
        return _Table(self._content, self._target(slot), slots) if self._field(slot) else None

    def tables(self, slot: int, slots: int) -> Iterator["_Table"]:
        """Yield the tables of a vector. Raises RejectedModelError above MAX_PARTS."""
        size = self.size(slot)
        _check_size(size)
        for index in range(size):
            position = self._target(slot) + 4 + 4 * index
            yield _Table(self._content, position + _number("<I", self._content, position), slots)

    def has(self, slot: int) -> bool:
        """Return whether a field is present."""
        return self._field(slot) > 0

    def _field(self, slot: int) -> int:
        """Return the position of a field, 0 when absent."""
        offset = self._offsets[slot] if slot < len(self._offsets) else 0
        return self._position + offset if offset else 0

    def _target(self, slot: int) -> int:
        """Return the position that a field points to."""
        position = self._field(slot)
        return position + _number("<I", self._content, position)


def check_flatbuffer(content: bytes) -> None:
    """Raise RejectedModelError unless a flatbuffer is a network as the compiler writes it."""
    if content[4:8] != IDENTIFIER or len(content) > MAX_MODEL_BYTES:
        raise RejectedModelError(DAMAGED)
    try:
        # Slots up to signature_defs. A later one would refer to data in other files.
        model = _Table(content, _number("<I", content, 0), 8)
        codes = [_operator_code(table) for table in model.tables(1, 4)]  # operator_codes, complete
        graphs = list(model.tables(2, 5))  # subgraphs, up to name
        buffer_sizes = [buffer.size(0) for buffer in model.tables(4, 1)]  # buffers, only data
        if len(graphs) != 1:
            raise RejectedModelError(
                f"The LiteRT model has {len(graphs)} graphs. "
                "Only a single graph without loops and branches is served."
            )
        _check_graph(graphs[0], codes, buffer_sizes)
        _check_allocation(content, graphs[0].size(0))
    except (struct.error, IndexError) as error:
        raise RejectedModelError(DAMAGED) from error


def _check_allocation(content: bytes, tensors: int) -> None:
    """Raise RejectedModelError when a graph of `tensors` tensors takes too much memory per image.

    Without XNNPACK, which packs weights, LiteRT computes all sizes and reserves memory that it
    does not touch before a call.
    """
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=resolver
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise RejectedModelError(
            f"LiteRT cannot load the model: {reason}. {PUBLISH_KERAS}"
        ) from error
    # Further tensors are temporaries of kernels that do not run in serving.
    details = interpreter.get_tensor_details()
    shapes = [detail["shape"] for detail in details if detail["index"] < tensors]
    _check_working_bytes(4 * sum(prod(map(int, shape)) for shape in shapes) - len(content))


def _check_working_bytes(size: int) -> None:
    if size > MAX_WORKING_BYTES:
        raise RejectedModelError(
            f"The model takes {size // 2**20} MB per image. "
            f"The limit is {MAX_WORKING_BYTES // 2**20} MB: make a smaller model."
        )


def _operator_code(table: _Table) -> int:
    """Return the code of an operator. Raises RejectedModelError for an unknown one."""
    # The deprecated field and the current one, combined as LiteRT does.
    code = max(table.number(0, "<b"), table.number(3, "<i"))
    if code not in NAMES or table.has(1):  # custom_code
        raise RejectedModelError(
            f"The model has an unsupported operator (code {code}). "
            "Build it from the standard Keras layers."
        )
    return code


def _check_graph(graph: _Table, codes: list[int], buffer_sizes: list[int]) -> None:
    """Check that every operator finds its inputs: constants, the image, or earlier outputs."""
    # tensors, up to has_rank
    working = [_working_bytes(tensor, buffer_sizes) for tensor in graph.tables(0, 9)]
    _check_working_bytes(sum(working))
    is_defined = [size == 0 for size in working]

    def define(index: int) -> None:
        """Mark a tensor's values as computed. They may be computed only once."""
        if index < 0 or is_defined[index]:
            raise RejectedModelError(DAMAGED)
        is_defined[index] = True

    inputs, outputs = graph.numbers(1), graph.numbers(2)
    if len(inputs) != 1 or len(outputs) != 1:
        raise RejectedModelError(
            f"The model has {len(inputs)} inputs and {len(outputs)} outputs. "
            "It must take one image and return one vector."
        )
    define(inputs[0])
    for operator in graph.tables(3, 5):  # operators, up to builtin_options
        code = codes[operator.number(0, "<I")]
        sources, results = operator.numbers(1), operator.numbers(2)
        if len(sources) < MIN_INPUTS.get(code, 1) or len(results) != OUTPUTS.get(code, 1):
            raise RejectedModelError(
                f"The model is damaged: an operator {NAMES[code]} has {len(sources)} inputs and "
                f"{len(results)} outputs. Copy it again."
            )
        for position, index in enumerate(sources):
            if not (index == -1 and OPTIONAL_INPUT.get(code) == position) and (
                index < 0 or not is_defined[index]
            ):
                raise RejectedModelError(
                    f"The model is damaged: an operator {NAMES[code]} lacks an input. "
                    "Copy it again."
                )
        for index in results:
            define(index)
    if outputs[0] < 0 or not is_defined[outputs[0]] or not working[outputs[0]]:
        raise RejectedModelError(DAMAGED)


def _working_bytes(tensor: _Table, buffer_sizes: list[int]) -> int:
    """Return the memory of a tensor in bytes, 0 when its values are in the file.

    Raises RejectedModelError for other types, states, and a size that differs from the file's.
    """
    shape, kind = tensor.numbers(0), tensor.number(1, "<b")
    if kind not in ITEM_BYTES or tensor.number(5, "<B") or tensor.has(6):  # is_variable, sparsity
        raise RejectedModelError(
            "The model has a state, or numbers other than float32, int32 and bool. "
            "Publish the Keras file, unquantized."
        )
    quantization = tensor.table(4, 7)
    # all fields but quantized_dimension
    if quantization is not None and any(map(quantization.has, range(6))):
        raise RejectedModelError(
            "The model is quantized. Publish the Keras file, which is served in float32."
        )
    stored = buffer_sizes[tensor.number(2, "<I")]
    needed = prod(shape) * ITEM_BYTES[kind]
    if any(size < 1 for size in shape) or stored not in (0, needed):
        raise RejectedModelError(DAMAGED)
    return 0 if stored else needed


def _check_size(size: int) -> None:
    if size > MAX_PARTS:
        raise RejectedModelError(
            f"The model has a list of {size} parts. The limit is {MAX_PARTS}: make a smaller model."
        )


def _number(number_format: str, content: bytes, position: int) -> int:
    """Return the number at a position. Raises struct.error when it is outside."""
    if position < 0:
        raise struct.error("before the beginning")
    number: int = struct.unpack_from(number_format, content, position)[0]
    return number
