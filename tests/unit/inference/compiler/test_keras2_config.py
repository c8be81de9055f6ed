"""Keras 2 configs: their translation to Keras 3.

test_conversion.py compares the answers.
"""

from typing import Any

import pytest

from inference.compiler.config_validator import MAX_LAYERS, check_config
from inference.compiler.keras2_config import add_modules, is_keras_2, translate
from inference.compiler.served_config import to_served
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.keras2_models import functional2, input2, layer2


def translated(*layers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the translated layers of a Functional model, which the validator accepts."""
    config = translate(functional2(input2(), *layers))
    check_config(to_served(config))
    found: list[dict[str, Any]] = config["config"]["layers"]
    return found


def settings(kind: str, **config: Any) -> dict[str, Any]:
    """Return the translated settings of one layer."""
    found: dict[str, Any] = translated(layer2(kind, "layer", "input_1", **config))[1]
    return {"class_name": found["class_name"], **found["config"]}


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.15.0", True), ("2.4.0-tf", True), ("3.15.1", False), (None, False)],
)
def test_is_keras_2(version: object, expected: bool) -> None:  # noqa: FBT001
    assert is_keras_2(version) is expected


def test_translate_converts_inputs_and_connections() -> None:
    config = translate(
        functional2(
            input2(),
            layer2("Flatten", "a", "input_1"),
            layer2("Concatenate", "b", "a", "a", axis=-1),
            layer2("Dropout", "c", ["b", 0, 0, {"training": False}], rate=0.5),
        )
    )
    layers = config["config"]["layers"]
    assert layers[0]["config"]["batch_shape"] == [None, 28, 28, 1]
    assert "batch_input_shape" not in layers[0]["config"]
    histories = [
        [tensor["config"]["keras_history"] for tensor in node["args"][0]]
        for node in layers[2]["inbound_nodes"]
    ]
    assert histories == [[["a", 0, 0], ["a", 0, 0]]]
    assert layers[3]["inbound_nodes"][0]["kwargs"] == {"training": False}
    assert config["config"]["input_layers"] == ["input_1", 0, 0]
    assert config["config"]["output_layers"] == ["c", 0, 0]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("BatchNormalization", {"axis": [3], "renorm": False}, {"axis": 3}),
        ("SyncBatchNormalization", {"axis": [1]}, {"class_name": "BatchNormalization", "axis": 1}),
        ("LeakyReLU", {"alpha": 0.1}, {"negative_slope": 0.1}),
        ("ELU", {"alpha": 0.1}, {"alpha": 0.1}),
        ("ThresholdedReLU", {"theta": 0.5}, {"class_name": "ReLU", "threshold": 0.5}),
        ("DepthwiseConv2D", {"groups": 1, "kernel_initializer": None}, {}),
        (
            "Conv2D",
            {"groups": 1, "kernel_initializer": None},
            {"groups": 1, "kernel_initializer": None},
        ),
        ("SpatialDropout2D", {"noise_shape": None, "rate": 0.1}, {"rate": 0.1}),
        ("Normalization", {"axis": [], "batch_input_shape": [None, None]}, {"axis": []}),
        ("Dense", {"units": 3, "sparse": False}, {"units": 3}),
    ],
)
def test_translate_settings(kind: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    found = settings(kind, **before)
    assert {key: found.get(key) for key in after} == after
    assert not (before.keys() - after.keys()) & found.keys() - {"class_name"}


@pytest.mark.parametrize(
    ("kind", "config", "reason"),
    [
        ("BatchNormalization", {"renorm": True}, "renorm=True"),
        ("SeparableConv2D", {"groups": 2}, "groups=2"),
        ("Dense", {"activation": "hard_sigmoid"}, "hard_sigmoid gives other values in Keras 3"),
    ],
)
def test_translate_settings_without_equivalent_fails(
    kind: str, config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        settings(kind, **config)


def test_translate_of_too_many_layers_fails_at_once() -> None:
    with pytest.raises(RejectedModelError, match="limit is 200"):
        translated(*(layer2("ReLU", f"a{number}", "input_1") for number in range(MAX_LAYERS)))


def test_translate_adds_modules_to_parts() -> None:
    initializer = {"class_name": "Zeros", "config": {}}
    activation = {"class_name": "LeakyReLU", "config": {"name": "a", "alpha": 0.2}}
    found = settings("Dense", units=3, bias_initializer=initializer, activation=activation)
    assert found["bias_initializer"]["module"] == "keras.initializers"
    assert found["activation"]["config"] == {"name": "a", "negative_slope": 0.2}


def test_translate_leaves_custom_classes_to_the_validator() -> None:
    custom = {**layer2("Mine", "a", "input_1"), "module": "mine", "registered_name": "mine>Mine"}
    with pytest.raises(RejectedModelError, match="class Mine of mine"):
        translated(custom)
    with pytest.raises(RejectedModelError, match="part registered as"):
        translated({**custom, "class_name": "Dense", "module": "keras.layers"})


@pytest.mark.parametrize("calls", [1, 2])
def test_translate_numbers_the_calls_of_nested_models(calls: int) -> None:
    """In Keras 2, the first call of a nested model has number 1, and in Keras 3 it has 0."""
    inner = functional2(input2("input_2"), layer2("ReLU", "relu", "input_2"), name="inner")
    nodes = [[["input_1", 0, 0, {}]]] * calls
    nested = {**inner, "name": "inner", "inbound_nodes": nodes}
    last = layer2("Add", "add", *(["inner", call + 1, 0, {}] for call in range(calls)))
    layers = translated(nested, last)
    [node] = layers[-1]["inbound_nodes"]
    tensors = node["args"][0] if calls > 1 else node["args"]
    assert [tensor["config"]["keras_history"][1] for tensor in tensors] == list(range(calls))
    assert layers[1]["module"] == "keras.src.models.functional"


def test_translate_gives_a_sequential_model_its_input() -> None:
    dense = {"name": "dense", "units": 3, "batch_input_shape": [None, 784]}
    for config in ([{"class_name": "Dense", "config": dense}], {"name": "a"}):
        layers = [{"class_name": "Dense", "config": dense}]
        whole = config if isinstance(config, list) else {**config, "layers": layers}
        found = translate({"class_name": "Sequential", "config": whole})
        check_config(to_served(found))
        first, second = found["config"]["layers"]
        assert (first["class_name"], first["config"]["batch_shape"]) == ("InputLayer", [None, 784])
        assert second["config"] == {"name": "dense", "units": 3}


def test_add_modules_completes_configs_of_keras_3() -> None:
    zeros = {"class_name": "Zeros", "config": {}}
    dense = {"class_name": "Dense", "config": {"units": 3, "bias_initializer": zeros}}
    found = add_modules({"class_name": "Sequential", "config": {"layers": [dense]}})
    check_config(found)
    assert (
        found["config"]["layers"][0]["config"]["bias_initializer"]["module"] == "keras.initializers"
    )
