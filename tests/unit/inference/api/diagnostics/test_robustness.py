"""GET /models/{name}/robustness, without HTTP."""

from pathlib import Path
from typing import cast

import pytest

from inference.api.diagnostics.robustness import RobustnessApi, UnknownRobustnessError
from inference.errors import UnknownExperimentError
from inference.model_format.card import CARD_FILE
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.models.repository import ModelRepository
from inference.prediction.resolver import ModelResolver
from tests.support.fake_models import FakeRepository, make_version
from tests.support.robustness import make_robustness


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of version 2 of a model."""
    folder = tmp_path / "a" / "2"
    folder.mkdir(parents=True)
    (folder / CARD_FILE).write_text("{}")
    return folder


@pytest.fixture
def api(tmp_path: Path) -> RobustnessApi:
    repository = FakeRepository(make_version("a", version=2), make_version("b"))
    return RobustnessApi(tmp_path, ModelResolver(cast("ModelRepository", repository)))


def test_result_is_that_of_the_file(api: RobustnessApi, folder: Path) -> None:
    make_robustness("d" * 64).write(folder)
    for name in ("a", "a@2"):
        found = api.get_robustness(name)
        assert (found["experiment_name"], found["version"], found["model_digest"]) == (
            "a",
            2,
            "d" * 64,
        )
    assert (found["images"], found["accuracy"]) == (300, pytest.approx(2 / 3))
    assert found["mean_accuracy"] == pytest.approx(185 / 300)
    assert len(found["corruptions"]) == 28
    assert found["corruptions"][3] == {
        "corruption": "rotation",
        "severity": 4,
        "amount": 45.0,
        "unit": "degrees",
        "images": 300,
        "correct": 170,
        "accuracy": 170 / 300,
    }


def test_new_file_is_read_at_once(api: RobustnessApi, folder: Path) -> None:
    with pytest.raises(UnknownRobustnessError, match="Run make robustness"):
        api.get_robustness("a")
    make_robustness("d" * 64).write(folder)
    assert api.get_robustness("a")["images"] == 300


def test_file_of_another_model_or_a_broken_one_is_404(api: RobustnessApi, folder: Path) -> None:
    make_robustness("f" * 64).write(folder)
    with pytest.raises(UnknownRobustnessError):
        api.get_robustness("a")
    (folder / ROBUSTNESS_FILE).write_text("{")
    with pytest.raises(UnknownRobustnessError, match="cannot be read"):
        api.get_robustness("a")


def test_unknown_model_and_one_without_files_are_404(api: RobustnessApi) -> None:
    with pytest.raises(UnknownExperimentError):
        api.get_robustness("unknown")
    with pytest.raises(UnknownRobustnessError):
        api.get_robustness("b")
