"""Program of a SavedModel: the functions that remain, and the operators that are rejected."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from inference.compiler.saved_program import reduce_program
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.saved_models import PROGRAM, Digits, probabilities, saved

SPEC = [tf.TensorSpec((None, 28, 28), tf.float32)]


def reduced(path: Path) -> Any:
    return saved_model_pb2.SavedModel.FromString(reduce_program((path / PROGRAM).read_bytes()))


def test_reduce_program_removes_functions_that_never_serve(tmp_path: Path) -> None:
    module = Digits(probabilities)
    module.train = tf.function(
        lambda image: tf.random.uniform(()) * probabilities(module, image), input_signature=SPEC
    )

    def backup() -> None:
        tf.io.write_file("/nowhere", "x")

    module.backup = tf.function(backup, input_signature=[])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.serve)
    graph = reduced(tmp_path / "model").meta_graphs[0]
    names = [function.signature.name for function in graph.graph_def.library.function]
    operators = {
        node.op for function in graph.graph_def.library.function for node in function.node_def
    }
    assert not operators & {"RandomUniform", "WriteFile"}
    assert "Softmax" in operators
    assert set(graph.object_graph_def.concrete_functions) <= set(names)


@pytest.mark.parametrize("place", ["serves", "called by what serves"])
def test_reduce_program_names_the_unsupported_operator(tmp_path: Path, place: str) -> None:
    def read() -> Any:
        return tf.io.read_file("/nowhere")

    answer = read if place == "serves" else tf.function(read)
    saved(tmp_path / "model", lambda *_: answer())
    with pytest.raises(RejectedModelError, match="operator ReadFile, which is not supported"):
        reduced(tmp_path / "model")


def test_reduce_program_in_float16_is_rejected(tmp_path: Path) -> None:
    saved(
        tmp_path / "model",
        lambda _, image: tf.cast(tf.nn.softmax(tf.cast(image, tf.float16)), tf.float32),
    )
    with pytest.raises(RejectedModelError, match="computes in float16, but it is served"):
        reduced(tmp_path / "model")
