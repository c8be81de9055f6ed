"""Served form of a Keras config: precision, batch size, activations and names."""

from typing import Any

import pytest

from inference.compiler.served_config import to_served
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.keras_models import layer, sequential


def first(config: dict[str, Any]) -> Any:
    """Return the config of the first layer of a Sequential model after its input."""
    return to_served(config)["config"]["layers"][1]["config"]


def policy(name: str, module: str = "keras") -> dict[str, Any]:
    config = {"name": name}
    return {"module": module, "class_name": "DTypePolicy", "config": config}


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float64", policy("mixed_float16"), policy("float32", "keras.dtype_policies")],
)
def test_to_served_computes_in_float32(dtype: object) -> None:
    nested = sequential(layer("Dense", dtype=dtype))
    assert first(sequential(layer("Dense", dtype=dtype)))["dtype"] == "float32"
    assert first(sequential(nested))["layers"][1]["config"]["dtype"] == "float32"


def test_to_served_of_a_quantized_model_is_rejected() -> None:
    quantized = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}
    with pytest.raises(RejectedModelError, match="quantized to int8"):
        to_served(sequential(layer("Dense", dtype=quantized)))


def test_to_served_takes_float32_batches_of_any_size() -> None:
    config = sequential(layer("Flatten") | {"build_config": {"input_shape": [64, 28, 28]}})
    config["config"]["build_input_shape"] = [64, 28, 28]
    config["config"]["layers"][0]["config"] |= {"batch_shape": [64, 28, 28], "dtype": "uint8"}
    served = to_served(config)["config"]
    assert served["build_input_shape"] == [None, 28, 28]
    assert served["layers"][0]["config"]["batch_shape"] == [None, 28, 28]
    assert served["layers"][0]["config"]["dtype"] == "float32"
    assert served["layers"][1]["build_config"] == {"input_shape": [None, 28, 28]}


@pytest.mark.parametrize(
    ("module", "name", "activation"),
    [
        ("builtins", "relu", "relu"),
        ("builtins", "softmax_v2", "softmax"),
        ("keras.ops", "gelu", "gelu"),
        ("keras.activations", "leaky_relu", "leaky_relu"),
    ],
)
def test_to_served_names_activation_functions(module: str, name: str, activation: str) -> None:
    function = {"module": module, "class_name": "function", "config": name}
    assert first(sequential(layer("Dense", activation=function)))["activation"] == activation


@pytest.mark.parametrize(
    ("module", "name"), [("builtins", "mine"), ("os", "relu"), ("builtins", ["relu"])]
)
def test_to_served_of_a_custom_activation_is_rejected(module: str, name: object) -> None:
    function = {"module": module, "class_name": "function", "config": name}
    with pytest.raises(RejectedModelError, match=r'such as activation="relu"'):
        to_served(sequential(layer("Dense", activation=function)))


def graph(
    name: str, module: str, pixels: str, *operands: object, **settings: Any
) -> dict[str, Any]:
    """Return a Functional model of one operation."""
    history = {"dtype": pixels, "keras_history": ["an input", 0, 0]}
    tensor = {"class_name": "__keras_tensor__", "config": history}
    config = {"name": "an operation", **settings}
    operation = {
        "module": f"keras.src.ops.{module}",
        "class_name": name,
        "config": config,
        "inbound_nodes": [{"args": [tensor, *operands], "kwargs": {}}],
    }
    ends = {
        "input_layers": {"image": ["an input", 0, 0]},
        "output_layers": [["an operation", 0, 0]],
    }
    return {"class_name": "Functional", "config": {"layers": [operation], **ends}}


def test_to_served_has_one_input_and_names_for_tensorflow() -> None:
    served = to_served(graph("Add", "numpy", "float32", 1))["config"]
    assert served["input_layers"] == ["an_input", 0, 0]
    assert served["output_layers"] == ["an_operation", 0, 0]
    tensor = served["layers"][0]["inbound_nodes"][0]["args"][0]
    assert tensor["config"]["keras_history"] == ["an_input", 0, 0]


def test_to_served_rejects_integer_arithmetic_only() -> None:
    for name, operand in [("TrueDivide", 255), ("Subtract", 127.5), ("ExpandDims", None)]:
        to_served(graph(name, "numpy", "uint8", operand))
    with pytest.raises(RejectedModelError, match="computes Subtract with integers"):
        to_served(graph("Subtract", "numpy", "uint8", 128))


def test_to_served_casts_to_floats_only() -> None:
    served = to_served(graph("Cast", "core", "uint8", dtype="float16"))["config"]["layers"][0]
    assert served["config"]["dtype"] == "float32"
    with pytest.raises(RejectedModelError, match="casts its values to int32"):
        to_served(graph("Cast", "core", "float32", dtype="int32"))
