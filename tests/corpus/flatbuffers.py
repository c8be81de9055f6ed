"""Corpus of hostile and broken LiteRT models, made by code.

A card may confirm their digests, and yet they must not crash the serving process.

`python -m tests.corpus.flatbuffers SEED NUMBER` runs mutants that pass the validator, in a process
of its own.
"""

import contextlib
import copy
import random
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from inference.model_format.safe_open import RejectedModelError
from inference.runtime.flatbuffer_validator import check_flatbuffer
from inference.runtime.network import Network, UnservableModelError
from tests.conftest import SHIPPED

SOURCES = (
    "mnist_experiment_14__lenet5_tanh",
    "mnist_experiment_28__deep_cnn_8_16_32_short",
    "mnist_experiment_4__mlp_32",
)
GOOD = (SHIPPED / SOURCES[0] / "model.tflite").read_bytes()
ODD_NUMBERS = (0, 1, -1, -2, 2, 7, 28, 127, 255, 1000, 65535, 2**31 - 1, -(2**31))
# Bytes of tables at the end of a flatbuffer. Weights precede them, and every bit of them is valid.
TABLE_BYTES = 6000
MAX_MEMORY_BYTES = 8 * 2**30
IMAGES = np.random.default_rng(0).integers(0, 256, (37, 28, 28), np.uint8)

Change = Callable[[Any], object]


def packed(model: Any) -> bytes:
    """Return the flatbuffer of a model object."""
    builder = flatbuffers.Builder(2**16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def changed(change: Change, content: bytes = GOOD) -> bytes:
    """Return a flatbuffer with a changed model."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for each in model.subgraphs[0].operators:  # arrays cannot be packed again
        each.inputs, each.outputs = each.inputs.tolist(), each.outputs.tolist()
    change(model)
    return packed(model)


def operator(model: Any, code: int) -> Any:
    """Return the first operator of a kind."""
    codes = [entry.builtinCode for entry in model.operatorCodes]
    operators = model.subgraphs[0].operators
    return next(entry for entry in operators if codes[entry.opcodeIndex] == code)


def corpus() -> dict[str, bytes]:
    """Return models by name that LiteRT would accept, misuse or reject itself."""
    kinds, types = schema.BuiltinOperator, schema.TensorType

    def put(path: str, value: object) -> Change:
        """Return a change of the value at a path of attributes and indexes."""

        def change(model: Any) -> None:
            *parents, last = path.split(".")
            owner = model
            for name in parents:
                owner = owner[int(name)] if name.isdigit() else getattr(owner, name)
            if last.isdigit():
                owner[int(last)] = value
            else:
                setattr(owner, last, value)

        return change

    def without_input(code: int, index: int) -> Change:
        return lambda model: operator(model, code).inputs.__setitem__(index, -1)

    def quantize(model: Any) -> None:
        model.subgraphs[0].tensors[2].quantization.scale = [0.5]

    def take_from_behind(model: Any) -> None:
        operators = model.subgraphs[0].operators
        operators[0].inputs[0] = operators[-1].outputs[0]

    def write_weights(model: Any) -> None:
        operators = model.subgraphs[0].operators
        operators[0].outputs[0] = operators[-1].inputs[-1] = operator(
            model, kinds.FULLY_CONNECTED
        ).inputs[1]

    def grow(model: Any) -> None:
        """Pad the first convolution's input by 2,000 pixels, contrary to its shape."""
        graph, first = model.subgraphs[0], operator(model, kinds.CONV_2D)
        code, pad, margin, buffer = (
            schema.OperatorCodeT(),
            schema.OperatorT(),
            schema.TensorT(),
            schema.BufferT(),
        )
        code.builtinCode = code.deprecatedBuiltinCode = kinds.PAD
        buffer.data = np.array([0, 0, 2000, 2000, 2000, 2000, 0, 0], np.int32).view(np.uint8)
        margin.shape, margin.type, margin.buffer = [4, 2], types.INT32, len(model.buffers)
        pad.opcodeIndex, pad.inputs = (
            len(model.operatorCodes),
            [first.inputs[0], len(graph.tensors)],
        )
        pad.outputs = first.inputs[:1] = [len(graph.tensors) + 1]
        graph.tensors += [margin, copy.copy(graph.tensors[pad.inputs[0]])]
        graph.operators.insert(graph.operators.index(first), pad)
        model.operatorCodes.append(code)
        model.buffers.append(buffer)

    graph = "subgraphs.0."
    changes: dict[str, Change] = {
        "a layer without its weights": without_input(kinds.FULLY_CONNECTED, 1),
        "a layer without its image": without_input(kinds.CONV_2D, 0),
        "an operator with a custom name": put("operatorCodes.0.customCode", "Mine"),
        "a custom operator": put("operatorCodes.0.builtinCode", kinds.CUSTOM),
        "a delegate": put("operatorCodes.0.builtinCode", kinds.DELEGATE),
        "a loop": put("operatorCodes.0.builtinCode", kinds.WHILE),
        "an operator that is none": put("operatorCodes.0.builtinCode", 100_000),
        "two graphs": lambda model: model.subgraphs.append(model.subgraphs[0]),
        "no graph": lambda model: model.subgraphs.clear(),
        "a layer of one input": lambda model: operator(
            model, kinds.FULLY_CONNECTED
        ).inputs.__delitem__(slice(1, None)),
        "a layer that gives nothing": lambda model: operator(model, kinds.SOFTMAX).outputs.clear(),
        "an operator of no kind": put(f"{graph}operators.0.opcodeIndex", 10**6),
        "an input that is none": put(f"{graph}operators.0.inputs.0", 10**6),
        "an output that is none": put(f"{graph}operators.0.outputs.0", -7),
        "a circle": take_from_behind,
        "weights that are written": write_weights,
        "two images": put(f"{graph}inputs", [0, 1]),
        "an answer that nothing gives": put(f"{graph}outputs", [10**6]),
        "an answer from the file": put(f"{graph}outputs", [2]),
        "custom options": put(f"{graph}operators.0.customOptions", [1, 2, 3]),
        "options elsewhere": put(f"{graph}operators.0.largeCustomOptionsOffset", 2**40),
        "weights elsewhere": put("buffers.3.offset", 2**40),
        "too few weights": lambda model: setattr(
            model.buffers[3], "data", model.buffers[3].data[:-4]
        ),
        "a buffer that is none": put(f"{graph}tensors.0.buffer", 10**6),
        "strings": put(f"{graph}tensors.0.type", types.STRING),
        "int8": put(f"{graph}tensors.0.type", types.INT8),
        "a state": put(f"{graph}tensors.5.isVariable", 1),
        "quantized": quantize,
        "sparse": put(f"{graph}tensors.2.sparsity", schema.SparsityParametersT()),
        "a margin that no shape tells": grow,
        "8 TB": put(f"{graph}tensors.0.shape", [1, 2**20, 2**21]),
        "no pixels": put(f"{graph}tensors.0.shape", [1, 0, 28]),
        "less than no pixels": put(f"{graph}tensors.0.shape", [1, -28, 28]),
        "a shape of 20,000": put(f"{graph}tensors.0.shape", [1] * 20_000),
    }
    contents = {name: changed(change) for name, change in changes.items()}
    root = int.from_bytes(GOOD[:4], "little")
    pointing = {
        "far": b"\xf0\xff\xff\xff",
        "at the end": (len(GOOD) - 2).to_bytes(4, "little"),
        "at itself": bytes(4),
    }
    contents |= {f"a root {where}": place + GOOD[4:] for where, place in pointing.items()}
    contents["a table before the beginning"] = (
        GOOD[:root] + (2**30).to_bytes(4, "little") + GOOD[root + 4 :]
    )
    contents |= {
        f"the first {length} bytes": GOOD[:length]
        for length in (0, 3, 8, 100, len(GOOD) // 2, len(GOOD) - 1)
    }
    return contents | {"another file": GOOD.replace(b"TFL3", b"TFL9", 1)}


def mutants(seed: int, number: int) -> Iterator[bytes]:
    """Yield shipped models with random changes of a byte or of numbers in their tables."""
    chance = random.Random(seed)
    sources = [(SHIPPED / name / "model.tflite").read_bytes() for name in SOURCES]
    for count in range(number):
        source = chance.choice(sources)
        if count % 2:
            content = bytearray(source)
            content[-chance.randrange(1, TABLE_BYTES)] = chance.randrange(256)
            yield bytes(content)
        else:
            # Not every number fits every field.
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                yield changed(lambda model: _spoil(model, chance), source)


def _spoil(model: Any, chance: random.Random) -> None:
    places = list(_places(model))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        owner, key = chance.choice(places)
        owner[key] = chance.choice((*ODD_NUMBERS, chance.randrange(40)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each number of a model object, as a container and its key.

    Long arrays, which are weights, are skipped.
    """
    attributes = vars(value)
    for name, each in list(attributes.items()):
        if isinstance(each, int):
            yield attributes, name
        elif isinstance(each, np.ndarray) and each.dtype == np.int32:
            attributes[name] = each.copy()
            yield from ((attributes[name], index) for index in range(each.size))
        elif isinstance(each, list):
            for part in each:
                if hasattr(part, "__dict__"):
                    yield from _places(part)
        elif hasattr(each, "__dict__"):
            yield from _places(each)


def main() -> None:
    """Run mutants. Print the number run, rejected by LiteRT, and by the validator."""
    # A mutant may ask for all memory of the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    ran, failed, refused = 0, 0, 0
    for content in mutants(*map(int, sys.argv[1:])):
        try:
            check_flatbuffer(content)
        except RejectedModelError:
            refused += 1
            continue
        try:
            Network(content, 10).probabilities(IMAGES)
            ran += 1
        except (UnservableModelError, RuntimeError, ValueError):
            failed += 1
    print(ran, failed, refused)


if __name__ == "__main__":
    main()
