"""Keras config validator: the allow-lists, and what they reject."""

from typing import Any

import pytest

from inference.compiler import config_validator
from inference.compiler.config_validator import (
    ALLOWED,
    MAX_LAYERS,
    check_config,
    display_name,
)
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.keras_models import layer, sequential


def test_check_config_accepts_usual_models() -> None:
    part = sequential(
        layer("RandomRotation", factor=0.1, seed=2**40), layer("Dropout", rate=0.5, seed=None)
    )
    check_config(
        sequential(
            part, layer("LeakyReLU", negative_slope=0.1), layer("Activation", activation="gelu")
        )
    )


def test_allowed_names_exist_in_keras() -> None:
    import keras  # noqa: PLC0415

    for module, name in (ALLOWED | config_validator.OPERATIONS) - config_validator.MODELS:
        assert callable(getattr(__import__(module, fromlist=[name]), name))
    for name in config_validator.ACTIVATIONS:
        assert callable(keras.activations.get(name))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"module": "keras", "class_name": "Model"}, "class Model, but only Sequential"),
        (sequential(layer("Lambda")), "part of class Lambda of keras.layers"),
        (sequential(layer("Dense", module="mine")), "part of class Dense of mine"),
        (sequential(layer("Dense", activation="evil")), "unknown activation evil"),
        (sequential(layer("Dense", recurrent_activation="evil")), "unknown activation evil"),
        (sequential(layer("Dense") | {"registered_name": "mine"}), "registered as mine"),
        (sequential(*[layer("Flatten")] * (MAX_LAYERS + 1)), "limit is 200"),
    ],
)
def test_check_config_rejects_other_models(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        check_config(config)


def operation(name: str, module: str = "keras.src.ops.numpy", **settings: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": settings, "registered_name": name}


def functional(*layers: dict[str, Any]) -> dict[str, Any]:
    config = {"layers": [layer("InputLayer"), *layers]}
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def test_check_config_accepts_operations_between_layers() -> None:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}}
    mean = {"class_name": "__numpy__", "config": {"value": [[0.5], [1]], "dtype": "float32"}}
    part = {"class_name": "__slice__", "config": {"start": 2, "stop": None, "step": None}}
    node = {"args": [tensor, mean, [part]], "kwargs": {}}
    check_config(functional(operation("TrueDivide") | {"inbound_nodes": [node]}))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (sequential(operation("TrueDivide")), "class TrueDivide of keras.src.ops.numpy"),
        (functional(layer("Activation", activation=operation("Add"))), "class Add"),
        (functional(operation("Vectorize")), "class Vectorize .* Use a Keras layer for this step"),
        (functional(operation("Map", "keras.src.ops.core")), "class Map of keras.src.ops.core"),
        (functional(operation("TrueDivide", "os")), "class TrueDivide of os"),
        (functional(operation("Add") | {"registered_name": "mine"}), "registered as mine"),
        (functional(sequential(operation("Add"))), "class Add"),
        (functional(*[operation("Add")] * (MAX_LAYERS + 1)), "limit is 200"),
    ],
)
def test_check_config_rejects_other_operations(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        check_config(config)


@pytest.mark.parametrize(
    "operand",
    [
        {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "float32"}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "float32", "more": 1}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "float32"}, "module": "os"},
        {"class_name": "__slice__", "config": {"start": "a", "stop": 1, "step": 1}},
        {"class_name": "__slice__", "config": []},
        {"class_name": "__lambda__", "config": {"value": "a"}},
        {"class_name": "__bytes__", "config": {"value": "a"}},
    ],
)
def test_check_config_rejects_other_operands(operand: dict[str, Any]) -> None:
    with pytest.raises(RejectedModelError, match="part of class"):
        check_config(functional(operation("Add") | {"inbound_nodes": [{"args": [operand]}]}))


def test_check_config_says_what_to_use_instead() -> None:
    for name, substitute in [
        ("Lambda", "use layers such as Rescaling"),
        ("LSTM", "convolutional or dense layers in place of recurrent ones"),
        ("Mine", "without custom classes"),
    ]:
        with pytest.raises(RejectedModelError, match=substitute):
            check_config(sequential(layer(name)))


@pytest.mark.parametrize("name", [None, 3, "", "a" * 81, "<b>", "a b", "a\n"])
def test_display_name_hides_unusual_names(name: object) -> None:
    assert display_name(name) == "(not displayable)"
    assert display_name("keras.layers") == "keras.layers"
