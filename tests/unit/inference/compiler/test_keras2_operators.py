"""TensorFlow operators in Keras 2 models: their operations in Keras 3."""

from typing import Any

import pytest

from inference.compiler.config_validator import OPERATIONS
from inference.compiler.keras2_operators import BINARY, NUMPY, UNARY, translate_call
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.keras2_models import operator2


def tensor(name: str, *_: object) -> Any:
    return f"tensor {name}"


def call(function: str, first: Any = "x", **keywords: Any) -> tuple[str, dict[str, Any], list[Any]]:
    """Return the class, settings and arguments of a translated operator."""
    kind, settings, [node] = translate_call(operator2(function, "a", first, **keywords), tensor)
    assert (kind["module"], kind["class_name"]) in OPERATIONS
    return kind["class_name"], settings, node["args"]


def test_operators_have_operations_that_the_validator_accepts() -> None:
    assert {(NUMPY, name) for name in BINARY.values()} <= OPERATIONS
    assert {(module, name) for module, name, _ in UNARY.values()} <= OPERATIONS


@pytest.mark.parametrize(
    ("function", "first", "keywords", "expected"),
    [
        ("math.truediv", "x", {"y": 255.0, "name": None}, ("TrueDivide", {}, ["tensor x", 255.0])),
        ("math.subtract", ["_CONSTANT_VALUE", -1, 1.0], {"y": ["x", 0, 0]},
         ("Subtract", {}, [1.0, "tensor x"])),
        ("__operators__.add", "x", {"y": ["z", 0, 0]}, ("Add", {}, ["tensor x", "tensor z"])),
        ("cast", "x", {"dtype": "float32"}, ("Cast", {"dtype": "float32"}, ["tensor x"])),
        ("reshape", "x", {"shape": [-1, 4]}, ("Reshape", {"newshape": [-1, 4]}, ["tensor x"])),
        ("nn.softmax", "x", {}, ("Softmax", {"axis": -1}, ["tensor x"])),
        ("nn.gelu", "x", {}, ("Gelu", {"approximate": False}, ["tensor x"])),
        ("nn.leaky_relu", "x", {"alpha": 3}, ("LeakyRelu", {"negative_slope": 3}, ["tensor x"])),
        ("math.reduce_mean", "x", {"axis": [1, 2]}, ("Mean", {"axis": [1, 2]}, ["tensor x"])),
    ],
)  # fmt: skip
def test_translate_call(
    function: str, first: Any, keywords: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert call(function, first, **keywords) == expected


def test_translate_call_of_several_tensors() -> None:
    layer = operator2("concat", "a", "x")
    layer["inbound_nodes"] = [[["x", 0, 0, {"axis": -1}], ["z", 0, 0, {"axis": -1}]]]
    kind, settings, nodes = translate_call(layer, tensor)
    assert (kind["class_name"], settings) == ("Concatenate", {"axis": -1})
    assert nodes == [{"args": [["tensor x", "tensor z"]], "kwargs": {}}]


def test_translate_call_with_arrays_and_slices() -> None:
    numbers = {"class_name": "__numpy__", "config": {"value": [0.5, 1], "dtype": "float32"}}
    assert call("math.subtract", y=[0.5, 1])[2] == ["tensor x", numbers]
    part = {"start": 4, "stop": 24, "step": None}
    name, _, arguments = call("__operators__.getitem", slice_spec=[part, 3])
    assert name == "GetItem"
    assert arguments == ["tensor x", [{"class_name": "__slice__", "config": part}, 3]]


@pytest.mark.parametrize(
    ("function", "keywords", "reason"),
    [
        ("image.resize", {"size": [14, 14]}, r"tf\.image\.resize between its layers"),
        ("pad", {"paddings": [[0, 0]]}, r"Use keras\.layers\.ZeroPadding2D instead"),
        ("io.read_file", {}, r"tf\.io\.read_file"),
        ("nn.softmax", {"temperature": 3}, r"tf\.nn\.softmax"),
        ("nn.relu<script>", {}, r"tf\.\(not displayable\)"),
    ],
)
def test_translate_call_without_equivalent_names_a_layer(
    function: str, keywords: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        call(function, **keywords)
