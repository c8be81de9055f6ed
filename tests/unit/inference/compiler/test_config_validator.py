"""Keras config validator: the allow-lists, and what they reject."""

from typing import Any

import pytest

from inference.compiler import config_validator
from inference.compiler.config_validator import (
    ALLOWED,
    KERAS_2_ALLOWED,
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
        ),
        ALLOWED,
    )


def test_allowed_names_exist_in_keras() -> None:
    import keras  # noqa: PLC0415

    for module, name in ALLOWED - config_validator.MODELS:
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
        (sequential(layer("Dense") | {"registered_name": "mine"}), "registered as mine"),
        (sequential(*[layer("Flatten")] * (MAX_LAYERS + 1)), "limit is 200"),
    ],
)
def test_check_config_rejects_other_models(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        check_config(config, ALLOWED)


def test_check_config_keras_2_classes_have_no_modules() -> None:
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Flatten"}]}}
    check_config(config, KERAS_2_ALLOWED)
    with pytest.raises(RejectedModelError):
        check_config(config, ALLOWED)


@pytest.mark.parametrize("name", [None, 3, "", "a" * 81, "<b>", "a b", "a\n"])
def test_display_name_hides_unusual_names(name: object) -> None:
    assert display_name(name) == "(not displayable)"
    assert display_name("keras.layers") == "keras.layers"
