"""Model resolution: one name or several, loaded or not, and the errors for each."""

from typing import Any, cast

import pytest

from inference.errors import (
    MalformedRequestError,
    ModelFailedError,
    ModelNotReadyError,
    ServiceError,
    UnknownExperimentError,
)
from inference.models.catalog import Unresolved
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion, State
from inference.prediction.resolver import ModelResolver
from inference.prediction.results import LoadedModel, UnavailableModel
from tests.support.fake_models import FakeNetwork, FakeRepository, make_version


class Resident:
    """A network that is in memory, or has to be read first."""

    def __init__(self, *, is_loaded: bool) -> None:
        self._network = FakeNetwork()
        self.is_loaded = is_loaded

    def loaded_network(self) -> FakeNetwork | None:
        return self._network if self.is_loaded else None

    def network(self) -> FakeNetwork:
        self.is_loaded = True
        return self._network


def version(name: str, *, is_loaded: bool = True, **changes: Any) -> ModelVersion:
    return make_version(name, resident=cast("Any", Resident(is_loaded=is_loaded)), **changes)


def resolver(*versions: ModelVersion, default_task: str = "") -> ModelResolver:
    return ModelResolver(cast("ModelRepository", FakeRepository(*versions)), default_task)


LOADING = make_version("loading", state=State.LOADING)
FAILED = make_version("failed", state=State.FAILED, reason="broken")


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize("name", ["a", "a@1"])
def test_resolve_loads_a_model_that_is_not_in_memory(name: str, *, is_loaded: bool) -> None:
    model = resolver(version("a", is_loaded=is_loaded)).resolve(name)
    assert (model.version.name, model.network.seconds_per_image) == ("a", 0.0)


@pytest.mark.parametrize("name", ["a", "a@1"])
def test_resolve_loaded_reads_no_file(name: str) -> None:
    found = version("a", is_loaded=False)
    with pytest.raises(ModelNotReadyError):
        resolver(found).resolve(name, loaded=True)
    assert not found.is_loaded
    assert resolver(version("a")).resolve(name, loaded=True).version.name == "a"


@pytest.mark.parametrize("is_loaded", [True, False])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("unknown", UnknownExperimentError),
        ("a@9", UnknownExperimentError),
        ("a b", MalformedRequestError),
        ("loading", ModelNotReadyError),
        ("loading@1", ModelNotReadyError),
        ("all", MalformedRequestError),
    ],
)
def test_resolve_of_an_unusable_name_raises(
    name: str, error: type[ServiceError], *, is_loaded: bool
) -> None:
    models = resolver(version("a"), version("b"), LOADING, FAILED)
    with pytest.raises(error):
        models.resolve(name, loaded=is_loaded)


@pytest.mark.parametrize("is_loaded", [True, False])
def test_resolve_of_an_alias_takes_the_default_task(*, is_loaded: bool) -> None:
    digits = version("digits", test_accuracy=0.9)
    parity = version("even", task="parity", test_accuracy=0.9)
    for task, name in (("mnist", "digits"), ("parity", "even")):
        models = resolver(digits, parity, default_task=task)
        assert models.resolve("champion", loaded=is_loaded).version.name == name
        with pytest.raises(MalformedRequestError, match="stands for several models"):
            models.resolve("all", loaded=is_loaded)
    assert resolver(parity, default_task="mnist").resolve("champion").version.name == "even"
    with pytest.raises(MalformedRequestError, match="stands for several models"):
        resolver(digits, parity, default_task="letters").resolve("champion", loaded=is_loaded)


def test_resolve_of_an_alias_reports_its_lost_target() -> None:
    even = version("even", task="parity")
    repository = FakeRepository(even)
    models = ModelResolver(cast("ModelRepository", repository), "mnist")
    lost = Unresolved("mnist@best", ModelNotReadyError())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repository, "select", lambda _names: [lost, even])
        with pytest.raises(ModelNotReadyError):
            models.resolve("best")


def test_resolve_of_a_failed_model_raises_its_problem() -> None:
    with pytest.raises(ModelFailedError):
        resolver(FAILED).resolve("failed@1")
    with pytest.raises(ModelNotReadyError):  # for the fast path; Connexion reports the failure
        resolver(FAILED).resolve("failed@1", loaded=True)


def test_select_keeps_order_and_problems() -> None:
    selection = resolver(version("a"), LOADING, version("b")).select(
        ["b", "unknown", "loading", "a"]
    )
    names = [
        model.version.name if isinstance(model, LoadedModel) else model.name
        for model in selection.models
    ]
    assert names == ["b", "unknown", "loading", "a"]
    problems = [
        type(model.problem) for model in selection.models if isinstance(model, UnavailableModel)
    ]
    assert problems == [UnknownExperimentError, ModelNotReadyError]


def test_select_loaded_counts_an_unread_model_as_unavailable() -> None:
    models = resolver(version("a"), version("b", is_loaded=False))
    assert not models.select(["a", "b"], loaded=True).is_complete
    assert models.select(["a", "b"]).is_complete


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["failed", "unknown"], ModelFailedError),
        (["unknown", "failed"], UnknownExperimentError),
        (["a b"], MalformedRequestError),
    ],
)
def test_select_without_any_model_raises_the_first_problem(
    names: list[str], error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        resolver(FAILED).select(names)


def test_select_of_all_without_ready_models_raises() -> None:
    with pytest.raises(UnknownExperimentError, match="No model is ready"):
        resolver(FAILED).select(["all"])
