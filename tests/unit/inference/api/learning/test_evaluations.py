"""Evaluations: the numbers of the classes must agree with the whole."""

from typing import Any

import pytest

from inference.api.learning.evaluations import EvaluationsApi
from inference.database.learning.evaluations import Evaluations
from inference.errors import InvalidValueError, MalformedRequestError
from tests.support.fake_database import FakeDatabase

NEW: dict[str, Any] = {
    "experiment_name": "a", "version": 1, "model_digest": "d" * 64, "image_set": "mine",
    "set_digest": "e" * 64, "images": 3, "correct": 2, "evaluated_by": "ann",
    "by_class": {"7": {"images": 2, "correct": 2}, "1": {"images": 1, "correct": 0}},
}  # fmt: skip


def test_evaluation_is_stored() -> None:
    api = EvaluationsApi(Evaluations(FakeDatabase([{"evaluation_id": 1}])))
    assert api.add_evaluation(NEW) == ({"evaluation_id": 1}, 201)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"images": 4}, "by_class"),
        ({"correct": 3}, "by_class"),
        ({"correct": 4}, "correct"),
        ({"images": 0}, "images"),
        ({"version": None}, "version"),
        ({"model_digest": "d"}, "model_digest"),
        ({"set_digest": "x" * 64}, "set_digest"),
        ({"by_class": []}, "by_class"),
        ({"by_class": {"7": 3}}, "by_class"),
        ({"by_class": {"7": {"images": 3}}}, "by_class"),
        ({"by_class": {"\x00": {"images": 3, "correct": 2}}}, "by_class"),
        ({"by_class": {"7": {"images": 3, "correct": -1}}}, "correct"),
        ({"image_set": ""}, "image_set"),
        ({"run_id": 1}, ""),
    ],
)
def test_bad_evaluation_names_its_field(changes: dict[str, Any], path: str) -> None:
    api = EvaluationsApi(Evaluations(FakeDatabase()))
    with pytest.raises((MalformedRequestError, InvalidValueError)) as raised:
        api.add_evaluation({**NEW, **changes})
    assert raised.value.path == path


def test_list_takes_a_version_and_a_set() -> None:
    database = FakeDatabase([])
    api = EvaluationsApi(Evaluations(database))
    assert api.list_evaluations("a@3", "mine") == {"evaluations": [], "next": None}
    arguments = database.queries[0][1]
    assert isinstance(arguments, dict)
    assert (arguments["experiment_name"], arguments["version"]) == ("a", 3)
    for name, image_set in (("a b", None), (None, "\x00")):
        with pytest.raises(MalformedRequestError):
            api.list_evaluations(name, image_set)
