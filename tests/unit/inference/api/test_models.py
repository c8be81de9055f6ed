"""/models: every version with its state, format, aliases and card."""

from dataclasses import asdict, replace
from typing import Any, cast

import pytest

from inference.api.models import ModelsApi
from inference.errors import MalformedRequestError, UnknownExperimentError
from inference.model_format.card import MNIST_INPUT, Card
from inference.models.version import ModelVersion, State, Update
from inference.prediction.resolver import ModelResolver
from inference.probe.report import BetterCard, ProbeReport, Reading
from tests.conftest import SHIPPED
from tests.support.fake_models import FakeRepository

NAME = "mnist_experiment_1__softmax_regression"
CARD = Card.read(SHIPPED / NAME / "card.json")
OLD = ModelVersion.from_card(NAME, 1, "d" * 64, 1000, CARD)
NEW = ModelVersion(NAME, State.FAILED, 2, reason="broken", update=Update(State.LOADING))


class FakeAliases:
    """One alias, of the first version."""

    def aliases_of(self, _name: str, version: int) -> list[str]:
        return ["champion"] if version == 1 else []


def make_api(*versions: ModelVersion) -> ModelsApi:
    repository = cast("Any", FakeRepository(*versions))
    return ModelsApi(repository, cast("Any", FakeAliases()), ModelResolver(repository, "mnist"))


API = make_api(OLD, NEW)


def test_list_models_describes_each_version() -> None:
    first, second = API.list_models()["models"]
    assert (first["version"], first["state"], first["aliases"]) == (1, "LOADING", ["champion"])
    assert (first["digest"], first["bytes"], first["format"]) == ("d" * 64, 1000, "litert")
    assert (first["input"], first["classes"]) == (asdict(MNIST_INPUT), list("0123456789"))
    assert (first["loaded"], first["memory_bytes"], first["update"]) == (False, 0, None)
    assert (second["reason"], second["update"]["state"]) == ("broken", "LOADING")
    assert [first["default"], second["default"]] == [False, True]


def test_list_models_has_the_probe_of_a_ready_version() -> None:
    reading = Reading(0.12, 200, BetterCard(0.91, {"invert": True}))
    probed = replace(OLD, state=State.READY, probe=ProbeReport(reading, passed=False, warning=True))
    first, second = make_api(probed, NEW).list_models()["models"]
    assert first["probe"] == {
        "accuracy": 0.12,
        "digits": 200,
        "best": {"accuracy": 0.91, "input": {"invert": True}, "classes": None},
        "sentence": "12 % of 200 probe digits as stated; 91 % with input.invert: true",
        "passed": False,
        "warning": True,
    }
    assert second["probe"] is None


def test_get_model_returns_the_default_version_with_its_card() -> None:
    model = API.get_model(NAME)
    assert (model["version"], model["card"]) == (2, None)


@pytest.mark.parametrize("name", ["champion", "mnist@champion", f"{NAME}@champion", f"{NAME}@1"])
def test_get_model_takes_aliases_and_versions(name: str) -> None:
    model = make_api(replace(OLD, state=State.READY), NEW).get_model(name)
    assert (model["name"], model["version"], model["card"] is None) == (NAME, 1, False)


def test_get_model_of_an_alias_of_several_tasks_is_the_default_task() -> None:
    ready = replace(OLD, state=State.READY)
    api = make_api(ready, replace(ready, name="odd", task="parity"))
    assert [api.get_model(name)["name"] for name in ("champion", "parity@champion")] == [
        NAME,
        "odd",
    ]


def test_get_model_returns_a_version_in_any_state_by_number() -> None:
    assert API.get_model(f"{NAME}@2")["state"] == "FAILED"


def test_get_model_version_returns_the_parts_of_the_card() -> None:
    model = API.get_model_version(NAME, 1)
    assert set(model["card"]) == {"parameters", "config", "metrics", "data", "code", "run"}
    assert model["card"]["config"]["learning_rate"] == 0.1
    assert model["test_accuracy"] == CARD.test_accuracy


@pytest.mark.parametrize(
    ("name", "error"), [("unknown", UnknownExperimentError), ("a b", MalformedRequestError)]
)
def test_unknown_model_raises(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        API.get_model(name)
    with pytest.raises(error):
        API.get_model_version(name, 1)
    with pytest.raises(UnknownExperimentError):
        API.get_model_version(NAME, 3)
