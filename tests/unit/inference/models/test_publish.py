"""Publish command: the next version of a model, completely or not at all."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.model_format import robustness
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.models.publish import PublishError, find_mnist, hidden_directory, publish
from inference.models.version import State
from inference.probe.prober import Prober
from inference.probe.report import ProbeReport
from inference.registry.bucket import Bucket
from monitoring.detector import REFERENCE_FILE
from monitoring.references.files import read_reference
from monitoring.references.labeled_images import LabeledImages
from tests.conftest import SHIPPED
from tests.support.drift import draw_digits
from tests.support.robustness import make_robustness
from tests.unit.inference.conftest import Serve, change_card

COMPILE_SECONDS = 400


@pytest.fixture
def source(shipped_names: list[str]) -> Path:
    """The directory of a shipped model."""
    return SHIPPED / shipped_names[0]


def command(models_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MODELS_DIR": str(models_dir)}
    words = [sys.executable, "-m", "inference", "publish", *map(str, arguments)]
    return subprocess.run(
        words, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False, env=environment
    )


@pytest.mark.slow
@pytest.mark.timeout(COMPILE_SECONDS)
def test_publish_command_compiles_a_keras_file_by_its_card(
    serve: Serve, source: Path, tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    (tmp_path / "card.json").write_text(
        json.dumps({"task": "letters", "classes": list("abcdefghij")})
    )
    done = command(models_dir, source / KERAS_FILE, "mine", "--card", tmp_path / "card.json")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        0,
        f"Published mine, version 1: {models_dir}/mine/1",
    )
    model = serve(models_dir).snapshot().find("mine")
    assert (model.state, model.task, model.classes) == (State.READY, "letters", tuple("abcdefghij"))
    assert Card.read(models_dir / "mine" / "1" / CARD_FILE).experiment == "mine"
    assert [path.name for path in models_dir.iterdir()] == ["mine"]


def test_publish_prepares_a_named_attempt_in_its_hidden_directory(
    source: Path, tmp_path: Path
) -> None:
    prepared: list[str] = []

    def check(_: ProbeReport) -> None:
        prepared.extend(path.name for path in tmp_path.iterdir())

    publish(source, "again", None, tmp_path, check=check, attempt="run-1-a")
    assert prepared == [hidden_directory(tmp_path, "again", "run-1-a").name]
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_publish_copies_a_directory_unchanged(source: Path, tmp_path: Path) -> None:
    directory, card = publish(source, "again", None, tmp_path)
    assert directory == tmp_path / "again" / "1"
    assert (directory / LITERT_FILE).read_bytes() == (source / LITERT_FILE).read_bytes()
    assert card.files == Card.read(source / CARD_FILE).files


def without_reference(source: Path, directory: Path) -> Path:
    """Copy a model without its reference, whose record stays in the card."""
    ignore = shutil.ignore_patterns(REFERENCE_FILE)
    return Path(shutil.copytree(source, directory, ignore=ignore))


def test_publish_with_test_images_writes_a_reference(source: Path, tmp_path: Path) -> None:
    images = LabeledImages(*draw_digits(120, seed=1))
    bare = without_reference(source, tmp_path / "bare")
    directory, card = publish(bare, "new", None, tmp_path, find_images=lambda _: images)
    reference = read_reference(directory)
    assert reference is not None
    assert reference["as_sent"].images == 120
    assert card == Card.read(directory / CARD_FILE)
    assert set(card.files) == {KERAS_FILE, LITERT_FILE, REFERENCE_FILE}


def test_publish_without_test_images_drops_the_record(source: Path, tmp_path: Path) -> None:
    bare = without_reference(source, tmp_path / "bare")
    directory, card = publish(bare, "new", None, tmp_path)
    assert set(card.files) == {KERAS_FILE, LITERT_FILE}
    assert card == Card.read(directory / CARD_FILE)
    assert not (directory / REFERENCE_FILE).exists()


def test_publish_keeps_the_reference_of_the_source(source: Path, tmp_path: Path) -> None:
    images = LabeledImages(*draw_digits(120, seed=1))
    directory, _ = publish(source, "new", None, tmp_path, find_images=lambda _: images)
    assert (directory / REFERENCE_FILE).read_bytes() == (source / REFERENCE_FILE).read_bytes()


def test_publish_drops_a_damaged_reference(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "damaged")
    (tmp_path / "damaged" / REFERENCE_FILE).write_text("{}")
    directory, card = publish(tmp_path / "damaged", "new", None, tmp_path)
    assert not (directory / REFERENCE_FILE).exists()
    assert REFERENCE_FILE not in card.files


def test_find_mnist_needs_a_file_and_digits(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card.read(source / CARD_FILE)
    monkeypatch.delenv("MNIST_PATH", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert find_mnist(card) is None
    pixels, labels = draw_digits(20, seed=1)
    np.savez(tmp_path / "mnist.npz", x_test=pixels, y_test=labels.astype(np.uint8))
    monkeypatch.setenv("MNIST_PATH", str(tmp_path / "mnist.npz"))
    found = find_mnist(card)
    assert found is not None
    assert (found.labels == labels).all()
    assert find_mnist(replace(card, classes=("even", "odd"))) is None


def test_publish_unreadable_mnist_gives_the_reason(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_PATH", str(tmp_path / "nowhere.npz"))
    bare = without_reference(source, tmp_path / "bare")
    with pytest.raises(PublishError, match=r"nowhere\.npz cannot be read"):
        publish(bare, "new", None, tmp_path / "models", find_images=find_mnist)
    assert not list((tmp_path / "models").iterdir())


def test_publish_uses_the_version_after_the_newest(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "inside")
    shutil.copy(source / KERAS_FILE, tmp_path / "loose.keras")
    (tmp_path / "gap" / "7").mkdir(parents=True)
    published = [
        publish(source, name, None, tmp_path)[0]
        for name in ("inside", "inside", "loose", "gap", "new")
    ]
    assert [str(path.relative_to(tmp_path)) for path in published] == [
        "inside/2",
        "inside/3",
        "loose/2",
        "gap/8",
        "new/1",
    ]


def test_publish_to_a_registry_leaves_the_model_directory(source: Path, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    registry, models_dir = Bucket(f"file://{tmp_path}/registry"), tmp_path / "models"
    shutil.copytree(source, models_dir / "inside")
    directory, card = publish(source, "inside", None, models_dir, registry=registry)
    assert directory == models_dir / "inside" / "2"
    assert [path.name for path in models_dir.iterdir()] == ["inside"]
    published = tmp_path / "registry" / "inside" / "2"
    assert Card.read(published / CARD_FILE) == card
    assert (published / LITERT_FILE).read_bytes() == (source / LITERT_FILE).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(COMPILE_SECONDS)
def test_publish_command_invalid_file_fails_in_one_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "nonsense.keras").write_bytes(b"nonsense")
    models_dir = tmp_path / "models"
    done = command(models_dir, tmp_path / "nonsense.keras", "mine")
    assert (done.returncode, list(models_dir.iterdir())) == (1, [])
    assert (
        done.stderr == "Not published: The file is not a Keras file, or is only a part of one. "
        "Save the model again with model.save('NAME.keras').\n"
    )


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("../mine", "", "NAME must be"),
        ("mine.keras", "", "must not end in .keras"),
        ("mine", "nowhere", "no such file"),
        ("mine", "empty", "has no model.keras"),
        ("mine", "other", "output of shape"),
        ("mine", "percent", "Write 98.5 % as 0.985"),
    ],
)
def test_publish_invalid_source_gives_the_reason(
    source: Path, tmp_path: Path, name: str, file: str, reason: str
) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(source, tmp_path / "other")
    change_card(tmp_path / "other", classes=["even", "odd"])
    shutil.copytree(source, tmp_path / "percent")
    change_card(tmp_path / "percent", metrics={"test_accuracy": 98.5})
    with pytest.raises(PublishError, match=reason):
        publish(tmp_path / file, name, None, tmp_path / "models")
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


@pytest.fixture
def inverted(source: Path, tmp_path: Path) -> Path:
    """A shipped model whose card states the wrong input."""
    shutil.copytree(source, tmp_path / "inverted")
    change_card(tmp_path / "inverted", input={"invert": True})
    return tmp_path / "inverted"


def test_publish_refuses_a_model_that_misreads_the_probe(inverted: Path, tmp_path: Path) -> None:
    with pytest.raises(
        PublishError,
        match=r"of 200 probe digits as stated; 9\d % with input\.invert: false\. Add "
        r'\{"input": \{"invert": false\}\} to its card\.json .*--force',
    ):
        publish(inverted, "mine", None, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_publish_command_prints_the_probe_and_can_be_forced(inverted: Path, tmp_path: Path) -> None:
    refused = command(tmp_path / "models", inverted, "mine")
    assert (refused.returncode, refused.stderr.splitlines()[-1][:30]) == (
        1,
        "Not published: The model reads",
    )
    forced = command(tmp_path / "models", inverted, "mine", "--force")
    assert (forced.returncode, forced.stdout.splitlines()[0][:15]) == (0, "Published mine,")
    assert "with input.invert: false." in forced.stdout


def test_publish_refuses_below_the_setting(source: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="State its input or the order of its classes"):
        publish(source, "mine", None, tmp_path, Prober(min_accuracy=1.01))
    publish(source, "mine", None, tmp_path, Prober(min_accuracy=0.9))


def digest_of(folder: Path) -> str:
    return Card.read(folder / CARD_FILE).files[KERAS_FILE].sha256


def test_publish_with_test_images_measures_robustness(source: Path, tmp_path: Path) -> None:
    images = LabeledImages(*draw_digits(120, seed=1))
    bare = shutil.copytree(
        source, tmp_path / "bare", ignore=shutil.ignore_patterns(ROBUSTNESS_FILE)
    )
    directory, _ = publish(bare, "new", None, tmp_path, find_images=lambda _: images)
    found = robustness.read(directory, digest_of(source))
    assert found is not None
    assert (found.images, len(found.scores)) == (120, 28)


def test_publish_keeps_a_robustness_of_the_same_model(source: Path, tmp_path: Path) -> None:
    images = LabeledImages(*draw_digits(120, seed=1))
    own = Path(shutil.copytree(source, tmp_path / "own"))
    for model, count in ((digest_of(source), 300), ("f" * 64, 120)):
        make_robustness(model).write(own)
        directory, _ = publish(own, "new", None, tmp_path, find_images=lambda _: images)
        found = robustness.read(directory, digest_of(source))
        assert found is not None
        assert found.images == count


def test_publish_without_test_images_drops_a_broken_robustness(
    source: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(source, tmp_path / "own"))
    (own / ROBUSTNESS_FILE).write_text("{")
    directory, _ = publish(own, "new", None, tmp_path)
    assert not (directory / ROBUSTNESS_FILE).exists()
