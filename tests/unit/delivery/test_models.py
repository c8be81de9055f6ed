"""Choice of models for a bundle: names, versions, and files that differ from their card."""

import json
import shutil
from pathlib import Path

import pytest

from delivery.models import BundleError, choose, read, require_digest
from inference.model_format.card import Card

ROOT = Path(__file__).parents[3]
LENET, MLP = "mnist_experiment_12__lenet5", "mnist_experiment_10__mlp_96_momentum_99"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Return a directory with two models, one of them in two versions."""
    directory = tmp_path / "models"
    shutil.copytree(ROOT / "models" / MLP, directory / MLP)
    shutil.copytree(ROOT / "models" / LENET, directory / LENET / "1")
    shutil.copytree(ROOT / "models" / LENET, directory / LENET / "2")
    return directory


def test_choose_without_names_takes_newest_of_each(models_dir: Path) -> None:
    assert list(choose(models_dir, [])) == [(MLP, 1), (LENET, 2)]


def test_choose_takes_names_and_versions(models_dir: Path) -> None:
    assert list(choose(models_dir, [f"{LENET}@1", LENET, f"{LENET}@2"])) == [(LENET, 1), (LENET, 2)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet5", rf"Similar names are {LENET}\."),
        ("mnist_experiment_12_lenet5", rf"Similar names are {LENET}, {MLP}\."),
        ("letters", rf"Similar names are {MLP}, {LENET}\."),
        (f"{LENET}@3", f"{LENET} has the versions 1, 2"),
        (f"{LENET}@x", f"{LENET} has the versions 1, 2"),
    ],
)
def test_choose_unknown_model_says_what_exists(models_dir: Path, name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        choose(models_dir, [name])


def test_choose_without_models_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no models"):
        choose(tmp_path, [])
    with pytest.raises(BundleError, match="Set MODELS_DIR"):
        choose(tmp_path / "missing", [])


def test_read_has_files_for_serving_only(models_dir: Path) -> None:
    [(key, files)] = choose(models_dir, [MLP]).items()
    model = read(key, files)
    assert set(model.files) == {"card.json", "model.tflite", "reference.json", "robustness.json"}
    assert (model.key, model.digest) == (
        f"{MLP}@1",
        Card.read(models_dir / MLP / "card.json").files["model.keras"].sha256,
    )
    assert all(
        content == (models_dir / MLP / name).read_bytes() for name, content in model.files.items()
    )


@pytest.mark.parametrize("name", ["model.tflite", "reference.json"])
def test_read_file_that_differs_from_card_is_an_error(models_dir: Path, name: str) -> None:
    path = models_dir / MLP / name
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    [(key, files)] = choose(models_dir, [MLP]).items()
    with pytest.raises(BundleError, match=f"{name} of {MLP}@1 differs from its card.json"):
        read(key, files)


def test_read_without_litert_model_is_an_error(models_dir: Path) -> None:
    (models_dir / MLP / "model.tflite").unlink()
    [(key, files)] = choose(models_dir, [MLP]).items()
    with pytest.raises(BundleError, match=f"{MLP}@1 has no model.tflite"):
        read(key, files)


def test_read_without_recorded_reference_is_an_error(models_dir: Path) -> None:
    (models_dir / MLP / "reference.json").unlink()
    [(key, files)] = choose(models_dir, [MLP]).items()
    with pytest.raises(BundleError, match=r"reference\.json cannot be read"):
        read(key, files)


def test_read_invalid_card_is_an_error(models_dir: Path) -> None:
    path = models_dir / MLP / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "output": "words"}))
    [(key, files)] = choose(models_dir, [MLP]).items()
    with pytest.raises(BundleError, match=f"{MLP}@1: card.json is not a valid model card"):
        read(key, files)


def test_digest_of_alias_that_differs_is_an_error(models_dir: Path) -> None:
    [(key, files)] = choose(models_dir, [MLP]).items()
    model = read(key, files)
    require_digest(model, model.digest, "The alias champion")
    require_digest(model, None, "The alias champion")
    with pytest.raises(BundleError, match=r"The alias champion is .* Set MODELS_DIR"):
        require_digest(model, "0" * 64, "The alias champion")
