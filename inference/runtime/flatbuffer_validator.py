"""What a LiteRT flatbuffer may hold, checked before LiteRT sees it.

What the compiler writes, and no more.

LiteRT verifies that the offsets of a flatbuffer stay inside, and believes much of the rest: an
operator without an input that it needs reads address 0, and the process that serves is gone. So the
graph is checked here: there is one, without loops, of known operators, each of which finds its
inputs. Fields are told by their slot, which is their place in LiteRT's schema.

What a graph says of the sizes of what it computes is bounded, for XNNPACK believes it. It may be
untrue, so LiteRT is asked as well, in the one way in which that costs nothing.
"""

import struct
from collections.abc import Iterator
from math import prod

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError

IDENTIFIER = b"TFL3"
ITEM_BYTES = {0: 4, 2: 4, 6: 1}  # float32, int32, bool: what Keras' layers are made into
MAX_PARTS = 10_000
MAX_WORKING_BYTES = (
    64 * 2**20
)  # of what is computed for an image: as much as the compiler has for each of its 64
# The operators that Keras' layers and activations are made into, and those that SavedModels of
# networks have besides.
SERVED = {
    "ABS": 101, "ADD": 0, "AVERAGE_POOL_2D": 1, "BATCH_MATMUL": 126, "BATCH_TO_SPACE_ND": 37, "CAST": 53, "CONCATENATION": 2,
    "CONV_2D": 3, "CUMSUM": 128, "DEPTHWISE_CONV_2D": 4, "DIV": 42, "ELU": 111, "EXP": 47, "EXPAND_DIMS": 70,
    "FULLY_CONNECTED": 9, "GATHER": 36, "GELU": 150, "GREATER": 61, "GREATER_EQUAL": 62, "HARD_SWISH": 117,
    "L2_NORMALIZATION": 11, "LEAKY_RELU": 98, "LESS": 58, "LESS_EQUAL": 63, "LOG": 73, "LOGISTIC": 14, "LOG_SOFTMAX": 50,
    "MAXIMUM": 55, "MAX_POOL_2D": 17, "MEAN": 40, "MINIMUM": 57, "MUL": 18, "NEG": 59, "PACK": 83, "PAD": 34, "PADV2": 60,
    "POW": 78, "PRELU": 54, "REDUCE_MAX": 82, "REDUCE_PROD": 81, "RELU": 19, "RELU6": 21, "RELU_N1_TO_1": 20, "RESHAPE": 22,
    "RESIZE_BILINEAR": 23, "RESIZE_NEAREST_NEIGHBOR": 97, "RSQRT": 76, "SELECT_V2": 123, "SHAPE": 77, "SLICE": 65,
    "SOFTMAX": 25, "SPACE_TO_BATCH_ND": 38, "SQRT": 75, "SQUARE": 92, "SQUARED_DIFFERENCE": 99, "SQUEEZE": 43,
    "STRIDED_SLICE": 45, "SUB": 41, "SUM": 74, "TANH": 28, "TILE": 69, "TOPK_V2": 48, "TRANSPOSE": 39, "TRANSPOSE_CONV": 67,
    "ZEROS_LIKE": 93,
}  # fmt: skip
# The input of an operator that may be left out, its bias; -1 stands there then.
OPTIONAL_INPUT = {
    SERVED["CONV_2D"]: 2,
    SERVED["DEPTHWISE_CONV_2D"]: 2,
    SERVED["FULLY_CONNECTED"]: 2,
    SERVED["TRANSPOSE_CONV"]: 3,
}
NAMES = {code: name for name, code in SERVED.items()}
# How many inputs the others than those of one take at least.
INPUTS = {
    2: """
        ADD BATCH_MATMUL CUMSUM DIV EXPAND_DIMS GATHER GREATER GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MEAN MINIMUM MUL PAD POW PRELU
        REDUCE_MAX REDUCE_PROD RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SQUARED_DIFFERENCE SUB SUM TILE TOPK_V2 TRANSPOSE
    """,
    3: "BATCH_TO_SPACE_ND CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED PADV2 SELECT_V2 SLICE SPACE_TO_BATCH_ND TRANSPOSE_CONV",
    4: "STRIDED_SLICE",
}
LEAST_INPUTS = {SERVED[name]: least for least, names in INPUTS.items() for name in names.split()}
OUTPUTS = {SERVED["TOPK_V2"]: 2}  # all others have one
VTABLE_HEAD_BYTES = 4
DAMAGED = "It is no LiteRT model or a damaged one; copy it again, or publish the Keras file, of which it is made anew."


class _Table:
    """A table of a flatbuffer: its fields by slot. Raises struct.error for what lies outside."""

    def __init__(self, content: bytes, position: int, slots: int) -> None:
        """Take the table at a position. Raises RejectedModelError where it has more than `slots` slots in use."""
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
                "It has a part that the compiler does not write; publish the Keras file, of which it is made anew."
            )

    def number(self, slot: int, form: str) -> int:
        """Return a number, 0 where there is none."""
        position = self._at(slot)
        return _number(form, self._content, position) if position else 0

    def size(self, slot: int) -> int:
        """Return the length of a vector, 0 where there is none."""
        return _number("<I", self._content, self._target(slot)) if self._at(slot) else 0

    def numbers(self, slot: int) -> tuple[int, ...]:
        """Return a vector of int32. Raises RejectedModelError for a long one."""
        size = self.size(slot)
        _check_size(size)
        return (
            struct.unpack_from(f"<{size}i", self._content, self._target(slot) + 4) if size else ()
        )

    def table(self, slot: int, slots: int) -> "_Table | None":
        """Return a table, None where there is none."""
        return _Table(self._content, self._target(slot), slots) if self._at(slot) else None

    def tables(self, slot: int, slots: int) -> Iterator["_Table"]:
        """Yield the tables of a vector. Raises RejectedModelError for a long one."""
        size = self.size(slot)
        _check_size(size)
        for index in range(size):
            place = self._target(slot) + 4 + 4 * index
            yield _Table(self._content, place + _number("<I", self._content, place), slots)

    def has(self, slot: int) -> bool:
        """Tell whether there is a field."""
        return self._at(slot) > 0

    def _at(self, slot: int) -> int:
        offset = self._offsets[slot] if slot < len(self._offsets) else 0
        return self._position + offset if offset else 0

    def _target(self, slot: int) -> int:
        """Return where that lies to which a field points."""
        position = self._at(slot)
        return position + _number("<I", self._content, position)


def check_flatbuffer(content: bytes) -> None:
    """Raise RejectedModelError unless a flatbuffer is a network as the compiler writes them."""
    if content[4:8] != IDENTIFIER or len(content) > MAX_MODEL_BYTES:
        raise RejectedModelError(DAMAGED)
    try:
        model = _Table(
            content, _number("<I", content, 0), 8
        )  # up to signature_defs: nothing lies in another file
        codes = [
            _code(each) for each in model.tables(1, 4)
        ]  # operator_codes, with all that they have
        graphs = list(model.tables(2, 5))  # subgraphs, up to name
        sizes = [each.size(0) for each in model.tables(4, 1)]  # buffers, of data alone
        if len(graphs) != 1:
            raise RejectedModelError(
                f"It has {len(graphs)} graphs; one is served, without loops and branches."
            )
        _check_graph(graphs[0], codes, sizes)
        _check_working_bytes(content, graphs[0].size(0))
    except (struct.error, IndexError) as error:
        raise RejectedModelError(DAMAGED) from error


def _check_working_bytes(content: bytes, tensors: int) -> None:
    """Raise RejectedModelError where what a graph of so many tensors computes for an image would take too much
    memory.

    Without XNNPACK, which prepares its own, LiteRT works all sizes out and reserves memory that it
    does not touch before a call.
    """
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=kind
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise RejectedModelError(
            f"LiteRT cannot load it: {' '.join(str(error).split()).rstrip('.')}."
        ) from error
    # Those behind are the scratch paper of kernels that do not serve.
    shapes = [each["shape"] for each in interpreter.get_tensor_details() if each["index"] < tensors]
    _check_working(4 * sum(prod(map(int, shape)) for shape in shapes) - len(content))


def _check_working(size: int) -> None:
    if size > MAX_WORKING_BYTES:
        raise RejectedModelError(
            f"It takes {size // 2**20} MB for an image; {MAX_WORKING_BYTES // 2**20} are served. Make a smaller model."
        )


def _code(operator_code: _Table) -> int:
    """Return the code of an operator. Raises RejectedModelError for one that is not served."""
    code = max(
        operator_code.number(0, "<b"), operator_code.number(3, "<i")
    )  # as LiteRT reads the old field and the new one
    if code not in NAMES or operator_code.has(1):  # custom_code
        raise RejectedModelError(
            f"It has an operator (code {code}) that is not on the list of what is served; build it of Keras' usual layers."
        )
    return code


def _check_graph(graph: _Table, codes: list[int], sizes: list[int]) -> None:
    """Check that every operator finds its inputs.

    Constants, the image, or what operators before it gave.
    """
    working = [
        _working_bytes(each, sizes) for each in graph.tables(0, 9)
    ]  # tensors, up to has_rank
    _check_working(sum(working))
    known = [each == 0 for each in working]

    def give(index: int) -> None:
        """Have a tensor's values come into being, once."""
        if index < 0 or known[index]:
            raise RejectedModelError(DAMAGED)
        known[index] = True

    inputs, outputs = graph.numbers(1), graph.numbers(2)
    if len(inputs) != 1 or len(outputs) != 1:
        raise RejectedModelError(
            f"It has {len(inputs)} inputs and {len(outputs)} outputs; one image in, one vector out is served."
        )
    give(inputs[0])
    for operator in graph.tables(3, 5):  # operators, up to builtin_options
        code = codes[operator.number(0, "<I")]
        took, gave = operator.numbers(1), operator.numbers(2)
        if len(took) < LEAST_INPUTS.get(code, 1) or len(gave) != OUTPUTS.get(code, 1):
            raise RejectedModelError(
                f"It is damaged: an operator {NAMES[code]} has {len(took)} inputs and {len(gave)} outputs; copy it again."
            )
        for place, index in enumerate(took):
            if not (index == -1 and OPTIONAL_INPUT.get(code) == place) and (
                index < 0 or not known[index]
            ):
                raise RejectedModelError(
                    f"It is damaged: an operator {NAMES[code]} lacks an input; copy it again."
                )
        for index in gave:
            give(index)
    if outputs[0] < 0 or not known[outputs[0]] or not working[outputs[0]]:
        raise RejectedModelError(DAMAGED)


def _working_bytes(tensor: _Table, sizes: list[int]) -> int:
    """Return how much memory a tensor takes, 0 where its values are in the file, and as many as it
    has.

    Raises RejectedModelError unless it is a plain one.
    """
    shape, kind = tensor.numbers(0), tensor.number(1, "<b")
    if kind not in ITEM_BYTES or tensor.number(5, "<B") or tensor.has(6):  # is_variable, sparsity
        raise RejectedModelError(
            "It holds other numbers than float32, int32 and bool, or has states; publish the Keras file, unquantized."
        )
    if (quantization := tensor.table(4, 7)) is not None and any(
        map(quantization.has, range(6))
    ):  # all but the dimension
        raise RejectedModelError(
            "It is quantized; publish the Keras file, which is served in float32."
        )
    stored, needed = sizes[tensor.number(2, "<I")], prod(shape) * ITEM_BYTES[kind]
    if any(size < 1 for size in shape) or stored not in (0, needed):
        raise RejectedModelError(DAMAGED)
    return 0 if stored else needed


def _check_size(size: int) -> None:
    if size > MAX_PARTS:
        raise RejectedModelError(
            f"It has a list of {size} parts; {MAX_PARTS} are the most. Make a smaller model."
        )


def _number(form: str, content: bytes, position: int) -> int:
    """Return the number at a position. Raises struct.error when that is outside."""
    if position < 0:
        raise struct.error("before the beginning")
    number: int = struct.unpack_from(form, content, position)[0]
    return number
