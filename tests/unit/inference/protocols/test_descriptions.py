"""Descriptions: answers about the service and its models."""

import json
from typing import Any, cast

import pytest

from inference.errors import (
    MalformedRequestError,
    ModelNotReadyError,
    OverloadedError,
    ServiceError,
    UnknownExperimentError,
)
from inference.models.repository import ModelRepository
from inference.models.version import State
from inference.prediction.resolver import ModelResolver
from inference.protocols.catalog import Catalog
from inference.protocols.descriptions import Descriptions
from inference.protocols.errors import NotKeptError
from inference.protocols.routes import Action
from tests.support.fake_models import FakeRepository, make_version


def descriptions(*, is_serving: bool = True) -> Descriptions:
    repository = cast(
        "ModelRepository",
        FakeRepository(
            make_version("a"),
            make_version("a", version=2),
            make_version("b", state=State.LOADING),
            make_version("c", state=State.FAILED, reason="broken"),
        ),
    )
    return Descriptions(Catalog(repository, ModelResolver(repository)), lambda: is_serving)


def ask(action: Action, *, is_serving: bool = True, **values: str) -> tuple[int, Any]:
    answer = descriptions(is_serving=is_serving).answer(action, values)
    return answer.status, json.loads(answer.body)


def test_service_is_live_before_it_is_ready() -> None:
    assert ask(Action.LIVE, is_serving=False) == (200, {"live": True})
    assert ask(Action.READY) == (200, {"ready": True})
    status, document = ask(Action.READY, is_serving=False)
    assert (status, document["ready"], "starting" in document["error"]) == (503, False, True)


def test_ping_is_readiness_without_json() -> None:
    assert descriptions().answer(Action.PING, {}).body == b"\n"
    with pytest.raises(OverloadedError):
        descriptions(is_serving=False).answer(Action.PING, {})
    with pytest.raises(ModelNotReadyError):
        descriptions().answer(Action.PING, {"name": "b"})


def test_version_is_that_of_the_api_for_known_models() -> None:
    assert descriptions().answer(Action.VERSION, {}).body == b"1.0"
    with pytest.raises(UnknownExperimentError):
        descriptions().answer(Action.VERSION, {"name": "unknown"})


def test_status_of_one_version_or_of_all() -> None:
    _, every = ask(Action.STATUS, name="a")
    _, one = ask(Action.STATUS, name="a", version="1")
    assert [status["version"] for status in every["model_version_status"]] == ["1", "2"]
    assert [status["version"] for status in one["model_version_status"]] == ["1"]


@pytest.mark.parametrize(("name", "state"), [("b", "LOADING"), ("c", "END")])
def test_status_of_a_model_that_is_not_ready_is_503(name: str, state: str) -> None:
    status, document = ask(Action.STATUS, name=name)
    assert (status, document["ready"], bool(document["error"])) == (503, False, True)
    assert document["model_version_status"][0]["state"] == state


@pytest.mark.parametrize("action", [Action.MODEL, Action.MODEL_READY, Action.METADATA])
def test_other_descriptions_are_of_ready_models(action: Action) -> None:
    answer = descriptions().answer(action, {"name": "a"})
    assert (answer.status, answer.headers) == (200, ((b"x-model-version", b"a@2"),))
    with pytest.raises(ModelNotReadyError):
        descriptions().answer(action, {"name": "b"})


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (Action.LOAD, MalformedRequestError),
        (Action.REGRESS, MalformedRequestError),
        (Action.NOT_KEPT, NotKeptError),
    ],
)
def test_what_is_not_done_is_refused(action: Action, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        ask(action)


def test_index_of_all_versions_or_of_ready_ones() -> None:
    assert len(json.loads(descriptions().index({}).body)) == 4
    assert len(json.loads(descriptions().index({"ready": True}).body)) == 2
