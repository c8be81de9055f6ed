"""Names of a scoring stand for the same models as in the service, of one task."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from inference.models.aliases import AliasTargets, Target
from pipeline.scale.scored_models import Selection, UnusableRequestError, select_models

SHIPPED = Path(__file__).parents[4] / "models"
SOFTMAX, MLP = "mnist_experiment_1__softmax_regression", "mnist_experiment_4__mlp_32"
PARITY = "parity_experiment_1__softmax_regression"
NO_ALIASES: AliasTargets = {}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in (SOFTMAX, PARITY):
        shutil.copytree(SHIPPED / name, tmp_path / "models" / name)
    for version in ("1", "2"):
        shutil.copytree(SHIPPED / MLP, tmp_path / "models" / MLP / version)
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "model.tflite").write_bytes(b"broken")
    return tmp_path / "models"


def select(
    models: Path, *names: str, task: str = "mnist", aliases: AliasTargets = NO_ALIASES
) -> Selection:
    return select_models(models, models.parent / "compiled", names, task, aliases, lambda: None)


def columns(selection: Selection) -> list[str]:
    return [model.column for model in selection.models]


def test_select_models_resolves_names_and_versions(models: Path) -> None:
    assert columns(select(models, f"{MLP}@1", SOFTMAX, MLP, f"{MLP}@2")) == [
        f"{MLP}@1",
        f"{SOFTMAX}@1",
        f"{MLP}@2",
    ]


def test_select_models_of_all_are_those_of_the_task(models: Path) -> None:
    assert columns(select(models, "all")) == [f"{SOFTMAX}@1", f"{MLP}@2"]
    assert columns(select(models, "all", task="parity")) == [f"{PARITY}@1"]


def test_select_models_follows_aliases(models: Path) -> None:
    aliases = {
        ("mnist", "champion"): Target(MLP, 1, 7),
        ("parity", "champion"): Target("deleted", 1, 8),
    }
    selection = select(models, "champion", "mnist@champion", aliases=aliases)
    assert columns(selection) == [f"{MLP}@1"]
    assert selection.unavailable == ()


def test_select_models_without_a_moved_alias_takes_the_best(models: Path) -> None:
    assert columns(select(models, "champion")) == [f"{MLP}@2"]


def test_select_models_explains_unavailable_names(models: Path) -> None:
    selection = select(models, SOFTMAX, "unknown", "broken", PARITY, "not a name")
    reasons = {one.name: one.reason for one in selection.unavailable}
    assert columns(selection) == [f"{SOFTMAX}@1"]
    assert list(reasons) == ["unknown", "broken", PARITY, "not a name"]
    assert "task parity" in reasons[PARITY]
    assert "Publish the Keras file" in reasons["broken"]
    assert "malformed" in reasons["not a name"]


def test_select_models_without_any_model_raises(models: Path) -> None:
    with pytest.raises(UnusableRequestError, match=r"No model of the task mnist.*Unknown model"):
        select(models, "unknown")
    with pytest.raises(UnusableRequestError, match=r"task other.*Publish one"):
        select(models, "all", task="other")


def test_selected_model_has_its_digests_and_signature(models: Path) -> None:
    [model] = select(models, SOFTMAX).models
    card = json.loads((models / SOFTMAX / "card.json").read_text())
    assert model.digest == card["files"]["model.keras"]["sha256"]
    assert model.network.digest == card["files"]["model.tflite"]["sha256"]
    assert hashlib.sha256(model.flatbuffer).hexdigest() == model.network.digest
    assert model.labels == tuple("0123456789")
    assert model.seconds_per_image > 0
