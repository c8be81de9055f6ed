"""Fields: values of every kind are checked, and a fault names its field."""

from typing import Any

import pytest

from inference.api.learning import fields
from inference.database.learning.errors import UnknownRunError
from inference.database.learning.run_requests import Author
from inference.errors import MalformedRequestError, UnknownExperimentError

TASKS = {"lenet_small": "mnist", "lenet_large": "mnist", "odd_even": "parity"}


@pytest.mark.parametrize("value", ["", "Mnist", "1a", "a" * 33, "a b", "a\n", "a\x00"])
def test_bad_task_raises(value: str) -> None:
    assert fields.task("mnist") == "mnist"
    with pytest.raises(MalformedRequestError) as raised:
        fields.task(value)
    assert raised.value.path == "task"


def test_optional_values_are_none_without_one() -> None:
    assert (fields.optional_task(None), fields.optional_task("mnist")) == (None, "mnist")
    assert (fields.before(None), fields.before(2**70)) == (None, fields.MAX_ID)
    assert fields.text({}, "name", 5, "none") == "none"


@pytest.mark.parametrize("value", [0, -1, 2**63])
def test_id_of_no_row_is_unknown(value: int) -> None:
    assert fields.row_id(5, UnknownRunError) == 5
    with pytest.raises(UnknownRunError):
        fields.row_id(value, UnknownRunError)


def test_author_has_name_and_reason() -> None:
    assert fields.author({"by": "ann", "reason": "why"}) == Author("ann", "why")
    with pytest.raises(MalformedRequestError):
        fields.author({"by": "ann"})


@pytest.mark.parametrize("value", [0, 6, True, 1.0, "1", [1], 2**70])
def test_number_outside_its_limits_raises(value: Any) -> None:
    assert fields.whole({"seeds": 5}, "seeds", (1, 5)) == 5
    assert fields.whole({}, "seeds", (1, 5), 3) == 3
    for document in ({"seeds": value}, {}):
        with pytest.raises(MalformedRequestError, match="from 1 to 5"):
            fields.whole(document, "seeds", (1, 5))


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_value_that_is_no_flag_raises(value: Any) -> None:
    assert fields.flag({"keep": True}, "keep", default=False)
    assert not fields.flag({"keep": None}, "keep", default=False)
    with pytest.raises(MalformedRequestError):
        fields.flag({"keep": value}, "keep", default=False)


@pytest.mark.parametrize("value", ["c", 1, ["a"], {}, True])
def test_value_that_is_no_choice_raises(value: Any) -> None:
    assert fields.choice({"x": "b"}, "x", ("a", "b"), "a") == "b"
    assert fields.choice({}, "x", ("a", "b"), "a") == "a"
    with pytest.raises(MalformedRequestError, match="one of a, b"):
        fields.choice({"x": value}, "x", ("a", "b"), "a")


@pytest.mark.parametrize(
    "value", ["a", [], ["a"] * 4, [1], [""], ["a b"], ["a@"], ["a@\n"], ["../a"], [["a"]]]
)
def test_bad_selection_raises(value: Any) -> None:
    names = ["champion", "a@3", "mnist@champion"]
    assert fields.selection({"experiments": names}, "experiments", [], 3) == names
    assert fields.selection({}, "experiments", ["all"], 3) == ["all"]
    with pytest.raises(MalformedRequestError):
        fields.selection({"experiments": value}, "experiments", [], 3)


def test_parameters_have_defaults() -> None:
    assert fields.run_parameters({}) == {"seeds": 3, "dataset": "latest", "keep": False}
    sweep = {"learning_rate": [0.01, 0.1, "log"], "trials": 20, "batch_size": [32, 64]}
    given = {"seeds": 1, "dataset": "d" * 64, "keep": True, "sweep": sweep}
    assert fields.run_parameters(given) == given


@pytest.mark.parametrize(
    "sweep",
    [
        1, "a", [], {}, {"trials": 5}, {"\x00": 1, "trials": 5}, {"momentum": [0, 1], "trials": 0},
        {"learning_rate": [1, 2**4000], "trials": 1}, {"momentum": [0, float("nan")], "trials": 1},
        {"batch_size": [2**70], "trials": 1}, {"learning_rate": [[1]], "trials": 1},
    ],
)  # fmt: skip
def test_bad_sweep_raises_before_a_run_starts(sweep: Any) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        fields.run_parameters({"sweep": sweep})
    assert raised.value.path == "sweep"


@pytest.mark.parametrize("value", ["newest", "D" * 64, "d" * 63, 1, ["latest"]])
def test_bad_dataset_raises(value: Any) -> None:
    with pytest.raises(MalformedRequestError, match="latest or the digest"):
        fields.digest_or_latest({"dataset": value}, "dataset")


def test_unknown_experiment_gets_close_names_of_its_task() -> None:
    assert fields.known_experiment("lenet_small", "mnist", TASKS) == "lenet_small"
    with pytest.raises(UnknownExperimentError, match="Close names: lenet_small"):
        fields.known_experiment("lenet_smal", "mnist", TASKS)
    with pytest.raises(UnknownExperimentError, match="task mnist"):
        fields.known_experiment("lenet_small", "parity", TASKS)
    with pytest.raises(UnknownExperimentError, match=r"^Unknown experiment. See"):
        fields.known_experiment("xyz", "mnist", TASKS)


def test_unknown_field_raises() -> None:
    assert fields.only({"a": 1}, ("a",)) == {"a": 1}
    with pytest.raises(MalformedRequestError):
        fields.only({"a": 1, "b": 2}, ("a",))
