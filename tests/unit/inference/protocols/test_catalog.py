"""Catalog: versions by the names, numbers and labels of the protocols."""

from typing import cast

import pytest

from inference.errors import (
    MalformedRequestError,
    ModelFailedError,
    ModelNotReadyError,
    ServiceError,
    UnknownExperimentError,
)
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion, State
from inference.prediction.resolver import ModelResolver
from inference.protocols.catalog import Catalog
from tests.support.fake_models import FakeRepository, make_version


def catalog(*versions: ModelVersion) -> Catalog:
    repository = cast("ModelRepository", FakeRepository(*versions))
    return Catalog(repository, ModelResolver(repository, "mnist"))


OWN = catalog(
    make_version("a"),
    make_version("a", version=2, test_accuracy=0.9),
    make_version("b", state=State.LOADING),
    make_version("c", state=State.FAILED, reason="broken"),
)


def test_version_and_label_are_pins_of_the_name() -> None:
    assert Catalog.pinned_name({"name": "a"}) == "a"
    assert Catalog.pinned_name({"name": "a", "version": "2"}) == "a@2"
    assert Catalog.pinned_name({"name": "a", "label": "champion"}) == "a@champion"


@pytest.mark.parametrize("version", ["", "-1", "1.0", "v1", "1234567890", "٣"])
def test_version_that_is_no_number_is_refused(version: str) -> None:
    with pytest.raises(MalformedRequestError, match="number"):
        Catalog.pinned_name({"name": "a", "version": version})


def test_find_returns_a_version_in_any_state() -> None:
    assert OWN.find({"name": "a"}).version == 2
    assert OWN.find({"name": "a", "version": "1"}).version == 1
    assert OWN.find({"name": "mnist@champion"}).version == 2
    assert OWN.find({"name": "b"}).state is State.LOADING


@pytest.mark.parametrize(
    ("name", "error"),
    [("b", ModelNotReadyError), ("c", ModelFailedError), ("d", UnknownExperimentError)],
)
def test_find_ready_returns_only_ready_versions(name: str, error: type[ServiceError]) -> None:
    assert OWN.find_ready({"name": "a"}).version == 2
    with pytest.raises(error):
        OWN.find_ready({"name": name})


def test_all_versions() -> None:
    assert [(one.name, one.version) for one in OWN.all()] == [
        ("a", 1), ("a", 2), ("b", 1), ("c", 1),
    ]  # fmt: skip
    assert [one.version for one in OWN.versions(OWN.find({"name": "a"}))] == [1, 2]
