"""/experiments: metadata of the database with the serving state of each model."""

from typing import Any, cast

import pytest

from inference.api.experiments import ExperimentsApi
from inference.errors import MalformedRequestError, UnknownExperimentError
from inference.models.version import ModelVersion, State
from tests.support.fake_models import FakeRepository


class FakeExperiments:
    """The experiments a and b."""

    def all(self) -> list[dict[str, Any]]:
        return [self.one("a"), self.one("b")]

    def one(self, name: str) -> dict[str, Any]:
        if name not in ("a", "b"):
            raise UnknownExperimentError
        return {"name": name, "momentum": 0.9}


API = ExperimentsApi(
    cast("Any", FakeExperiments()), cast("Any", FakeRepository(ModelVersion("a", State.LOADING)))
)
A = {"name": "a", "momentum": 0.9, "serving": "LOADING"}


def test_list_experiments_has_the_state_of_each_model() -> None:
    without_model = {"name": "b", "momentum": 0.9, "serving": "NO_MODEL"}
    assert API.list_experiments() == {"experiments": [A, without_model]}


def test_get_experiment_returns_one() -> None:
    assert API.get_experiment("a") == A


@pytest.mark.parametrize(
    ("name", "error"), [("c", UnknownExperimentError), ("a\n", MalformedRequestError)]
)
def test_get_experiment_of_another_name_raises(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        API.get_experiment(name)
