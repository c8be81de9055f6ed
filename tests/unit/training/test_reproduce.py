"""Reproduction: cards that can be trained again, and the comparison of digests."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inference.model_format.card import CARD_FILE, LITERT_FILE, Card, FileRecord, Parity
from tests.support.training import FAST, ORIGIN, write_split_dataset
from training import reproduce, split_dataset
from training.reproduce import CannotReproduceError, Comparison, find_card, main
from training.task import DIGITS

CARD = Card(
    FAST.name,
    {LITERT_FILE: FileRecord("a" * 64, 3)},
    Parity(0, 0.0, equal_argmax=True),
    config=FAST.config(),
    data={"name": "mnist", "sha256": "b" * 64},
)
EXPERIMENT = """
learning_rate = 0.05
momentum = 0.9
epochs = 1
batch_size = 50
seed = 3

[architecture]
name = "softmax_regression"
"""


def write(models: Path, name: str, card: Card) -> None:
    (models / name).mkdir(parents=True)
    card.write(models / name / CARD_FILE)


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (Comparison("a", "a", ()), "equal: the same model.tflite"),
        (Comparison("a", "a", ("keras: published with 3, now 4",)), "although this differs: keras"),
        (Comparison("a", "b", ()), "Another processor rounds differently"),
        (Comparison("a", "b", ("code: x",)), "these inputs of the training differ:\n  code: x"),
    ],
)
def test_comparison_text_gives_the_reason(comparison: Comparison, sentence: str) -> None:
    assert sentence in comparison.text()
    assert comparison.is_equal == (comparison.published == comparison.trained)


def test_find_card_returns_the_newest_version(tmp_path: Path) -> None:
    write(tmp_path, "m", CARD)
    write(tmp_path / "m", "2", replace(CARD, parameters=7))
    assert (find_card(tmp_path, "m", None).parameters, find_card(tmp_path, "m", 1).parameters) == (
        7,
        0,
    )


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("m", 3, r"no such version of m\. Its versions: 1\."),
        ("other", None, "versions: none"),
        ("foreign", None, "was trained elsewhere"),
        ("broken", None, "not a valid model card"),
    ],
)
def test_find_card_of_an_unusable_version_says_why(
    tmp_path: Path, name: str, version: int | None, message: str
) -> None:
    write(tmp_path, "m", CARD)
    write(tmp_path, "foreign", replace(CARD, config={}))
    write(tmp_path, "broken", CARD)
    (tmp_path / "broken" / CARD_FILE).write_text("{")
    with pytest.raises(CannotReproduceError, match=message):
        find_card(tmp_path, name, version)


def test_reproduce_missing_dataset_of_a_run_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_WORK", str(tmp_path))
    card = replace(CARD, data={**CARD.data, "dataset_digest": "d" * 64}, run={"id": 20, "seed": 1})
    with pytest.raises(CannotReproduceError, match=f"the dataset {'d' * 64} of run 20"):
        reproduce.reproduce(card)


@pytest.mark.slow
@pytest.mark.timeout(600)  # TensorFlow starts twice
def test_command_of_a_published_model_is_equal(
    tmp_path: Path,
    mnist_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MNIST_PATH", str(mnist_path))
    (tmp_path / f"{FAST.name}.toml").write_text(EXPERIMENT)
    models = tmp_path / "models"
    options = ["--experiments", tmp_path, "--models", models, "--data-csv", tmp_path / "data.csv"]
    command = [sys.executable, "-m", "training.train", *map(str, options)]
    subprocess.run([*command, "--work", str(tmp_path / "work")], check=True)
    assert main([FAST.name, "--models", str(models)]) == reproduce.EQUAL
    assert "equal: the same model.tflite" in capsys.readouterr().out


def test_changes_name_data_code_and_libraries() -> None:
    card = replace(CARD, code={"sha256": "c" * 64, "keras": "1.0", "tensorflow": ORIGIN.tensorflow})
    changes = [*reproduce.changes(card, ORIGIN)]
    assert changes == [
        f"data: published with {'b' * 64}, now {'a' * 64}",
        f"code: published with {'c' * 64}, now {'b' * 64}",
        "keras: published with 1.0, now 3",
    ]


def test_find_data_returns_the_dataset_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_WORK", str(tmp_path))
    (tmp_path / "20").mkdir()
    (tmp_path / "20" / "checkpoint.npz").write_bytes(b"damaged")
    write_split_dataset(tmp_path / "20" / "another.npz", 60)
    path = write_split_dataset(tmp_path / "20" / "dataset.npz")
    sha256 = split_dataset.load(path, DIGITS.labels).sha256
    card = replace(
        CARD, data={"sha256": sha256, "dataset_digest": "d" * 64}, run={"id": 20, "seed": 5}
    )
    assert reproduce.find_data(card, FAST, tmp_path) == path
