"""Corpus of hostile and broken SavedModels, made by code.

Programs read, write, print or call Python. Networks cannot be served.
"""

import functools
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from inference.model_format.safe_open import MAX_MODEL_BYTES

PROGRAM = "saved_model.pb"
INDEX, DATA = "variables/variables.index", "variables/variables.data-00000-of-00001"

Answer = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Hostile:
    """A SavedModel, which `make` writes to a path.

    `is_code` models act on files when run. `reason` is a pattern of their rejection.
    """

    name: str
    make: Callable[[Path], object]
    reason: str
    is_code: bool = False
    declared: dict[str, Any] = field(default_factory=dict)


class Digits(tf.Module):  # type: ignore[misc]  # TensorFlow is untyped
    """A softmax regression, with a replaceable output and input."""

    def __init__(
        self, answer: Answer, spec: Any = None, weight: float = 0.001, classes: int = 10
    ) -> None:
        super().__init__()
        chance = np.random.default_rng(0)
        self.kernel = tf.Variable(chance.normal(0, weight, (784, classes)), dtype=tf.float32)
        self.serve = tf.function(
            lambda image: answer(self, image),
            input_signature=[spec or tf.TensorSpec((None, 28, 28), tf.float32, "image")],
        )


def logits(self: Digits, image: Any) -> Any:
    """Return the usual logits."""
    return tf.reshape(image, (-1, 784)) @ self.kernel


def probabilities(self: Digits, image: Any) -> Any:
    """Return the usual probabilities."""
    return tf.nn.softmax(logits(self, image))


def saved(path: Path, answer: Answer = probabilities, **options: Any) -> Digits:
    """Save a module with one function."""
    module = Digits(answer, **options)
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return module


def _beside(act: Callable[[], Any]) -> Answer:
    """Return an output function that acts first."""

    def answer(self: Digits, image: Any) -> Any:
        done = act()
        with tf.control_dependencies([done] if done is not None else []):
            return probabilities(self, image)

    return answer


def _at_load(path: Path, canary: str) -> None:
    """Save a module with a resource, which TensorFlow initializes at load."""

    class Resource(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=())

        def _initialize(self) -> None:
            tf.io.write_file(canary, "written at load")

    module = Digits(probabilities)
    module.resource = Resource()
    module.resource.resource_handle  # noqa: B018  # creates it

    def answer(image: Any) -> Any:
        state = tf.raw_ops.ReadVariableOp(
            resource=module.resource.resource_handle, dtype=tf.float32
        )
        return probabilities(module, image) + 0 * state

    module.serve = tf.function(answer, input_signature=[tf.TensorSpec((None, 28, 28), tf.float32)])
    tf.saved_model.save(module, str(path), signatures=module.serve)


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Save the usual module with a changed program."""
    saved(path)
    program = saved_model_pb2.SavedModel.FromString((path / PROGRAM).read_bytes())
    change(program.meta_graphs[0])
    (path / PROGRAM).write_bytes(program.SerializeToString())


def corpus(folder: Path) -> list[Hostile]:
    """Return the whole corpus.

    Files of others are in `folder`, which holds the file `secret`.
    """
    return [*_programs(folder), *_networks(), *_files(folder)]


def _programs(folder: Path) -> list[Hostile]:
    """Return programs that do more than compute."""
    canary, secret = str(folder / "canary"), str(folder / "secret")

    def read() -> Any:
        return tf.io.read_file(secret)

    def call() -> Any:
        return tf.py_function(Path(canary).touch, [], [])

    def call_numpy() -> Any:
        return tf.numpy_function(Path(canary).touch, [], [])

    def stored(self: Digits, image: Any) -> Any:
        save = tf.raw_ops.SaveV2(
            prefix=canary,
            tensor_names=["x"],
            shape_and_slices=[""],
            tensors=[self.kernel.read_value()],
        )
        with tf.control_dependencies([save]):
            return probabilities(self, image)

    def leaked(self: Digits, image: Any) -> Any:
        return probabilities(self, image) + tf.cast(tf.strings.length(read()), tf.float32)

    def looped(self: Digits, image: Any) -> Any:
        start = [probabilities(self, image)]
        return tf.while_loop(
            lambda values: tf.reduce_sum(values) > -1, lambda values: [values * 1], start
        )[0]

    acts: dict[str, tuple[Answer, str]] = {
        "writes a file when it is called": (
            _beside(lambda: tf.io.write_file(canary, "x")),
            "operator WriteFile",
        ),
        "reads a secret": (leaked, "operator ReadFile"),
        "prints a secret": (_beside(lambda: tf.print(read())), "operator PrintV2"),
        "lists a directory": (
            _beside(lambda: tf.io.matching_files(str(folder / "*"))),
            "operator MatchingFiles",
        ),
        "calls Python": (_beside(call), "operator EagerPyFunc"),
        "calls Python the old way": (_beside(call_numpy), "operator PyFunc"),
        "stores its weights elsewhere": (stored, "cannot load or convert"),
        "never ends": (looped, "operator StatelessWhile|operator While"),
    }
    found = [
        Hostile(f"program: {name}", functools.partial(saved, answer=answer), reason, is_code=True)
        for name, (answer, reason) in acts.items()
    ]
    at_load = functools.partial(_at_load, canary=canary)
    return [
        Hostile(
            "program: writes a file when it is loaded", at_load, "operator WriteFile", is_code=True
        ),
        *found,
    ]


def _networks() -> list[Hostile]:
    """Return networks that compute, but cannot be served."""

    def spec(*shape: int | None, kind: Any = tf.float32) -> dict[str, Any]:
        return {"spec": tf.TensorSpec(shape, kind, "image")}

    def as_floats(self: Digits, image: Any) -> Any:
        return probabilities(self, tf.cast(image, tf.float32))

    def colors(self: Digits, image: Any) -> Any:
        return probabilities(self, image[:, :28, :28, 0])

    def two_inputs(path: Path) -> None:
        module = Digits(probabilities)
        specs = [tf.TensorSpec((None, 28, 28), tf.float32, name) for name in ("one", "two")]
        serve = tf.function(
            lambda one, two: probabilities(module, one + two), input_signature=specs
        )
        tf.saved_model.save(module, str(path), signatures=serve)

    def huge(graph: Any) -> None:
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Const":
                    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, shape=()))
                    for size in (2**20, 2**22):
                        node.attr["value"].tensor.tensor_shape.dim.add().size = size

    def two_outputs(self: Digits, image: Any) -> Any:
        return {"one": probabilities(self, image), "two": image}

    def text(_: Digits, image: Any) -> Any:
        return tf.ones((1, 10)) * tf.cast(tf.size(image), tf.float32)

    def numbers(self: Digits, image: Any) -> Any:
        return tf.cast(logits(self, image), tf.int32)

    def nothing(path: Path) -> None:
        tf.saved_model.save(Digits(probabilities), str(path), signatures={})

    no_shape = {"spec": tf.TensorSpec(None, tf.float32)}
    made: dict[str, tuple[Callable[[Path], object], str]] = {
        "two inputs": (two_inputs, "one image"),
        "two outputs": (lambda path: saved(path, two_outputs), "one image"),
        "nothing that serves": (nothing, "no signature"),
        "colors": (
            lambda path: saved(path, colors, **spec(None, 29, 29, 4)),
            r"image of shape \(29, 29, 4\)",
        ),
        "no shape": (lambda path: saved(path, **no_shape), "image of shape"),
        "bytes": (
            lambda path: saved(path, as_floats, **spec(None, 28, 28, kind=tf.uint8)),
            "float32",
        ),
        "text": (lambda path: saved(path, text, **spec(None, kind=tf.string)), "operator Size"),
        "a picture": (
            lambda path: saved(path, lambda _, image: image * 1.0),
            r"output of shape \(28, 28\)",
        ),
        "whole numbers": (lambda path: saved(path, numbers), "not a vector of probabilities"),
        "logits": (lambda path: saved(path, logits), "End the model with a softmax"),
        "NaN": (lambda path: saved(path, weight=float("nan")), "not finite"),
        "huge constants": (lambda path: changed(path, huge), "memory|crashed|cannot load"),
    }
    found = [Hostile(f"network: {name}", make, reason) for name, (make, reason) in made.items()]
    seven = Hostile(
        "network: 7 classes",
        lambda path: saved(path, classes=7),
        "7 outputs",
        declared={"classes": list("0123456789")},
    )
    return [
        *found,
        seven,
        Hostile(
            "network: another size", saved, "declares 32x28", declared={"input": {"height": 32}}
        ),
    ]


def _files(folder: Path) -> list[Hostile]:
    """Return directories that are incomplete, damaged, or point elsewhere."""

    def without(
        name: str, put: Callable[[Path], object] = lambda _: None
    ) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            saved(path)
            (path / name).unlink()
            put(path / name)

        return make

    def half(name: str) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            saved(path)
            os.truncate(path / name, (path / name).stat().st_size // 2)

        return make

    def away(path: Path) -> None:
        saved(path)
        shutil.move(path / "variables", folder / "variables")
        (path / "variables").symlink_to(folder / "variables")

    def sparse(path: Path) -> None:
        path.touch()
        os.truncate(path, MAX_MODEL_BYTES + 1)

    def secret(path: Path) -> None:
        path.symlink_to(folder / "secret")

    refused = {
        "a program that is a link": (without(PROGRAM, secret), "symbolic link"),
        "weights that are a link": (without(DATA, secret), "symbolic link"),
        "weights in a linked directory": (away, "symbolic link"),
        "a program that is a pipe": (without(PROGRAM, os.mkfifo), "not a regular file"),
        "a program that is a directory": (
            without(PROGRAM, Path.mkdir),
            "not a regular file|directory",
        ),
        "a program of 256 MB": (without(PROGRAM, sparse), "smaller model"),
        "an empty program": (without(PROGRAM, Path.touch), "0 bytes"),
        "text": (without(PROGRAM, lambda path: path.write_text("hello")), "cannot load"),
        "half a program": (half(PROGRAM), "cannot load"),
        "half of the weights": (half(DATA), "cannot load"),
        "half of the index": (half(INDEX), "cannot load"),
        "no weights": (without(DATA), "cannot load"),
        "no index": (without(INDEX), "cannot load"),
    }
    return [Hostile(f"files: {name}", make, reason) for name, (make, reason) in refused.items()]
