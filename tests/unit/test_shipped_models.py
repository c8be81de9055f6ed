"""Shipped models: models/, data.csv and data.d/ agree with each other and the documentation."""

import csv
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from evaluation.corruptions import CORRUPTIONS
from evaluation.robustness import SEVERITIES
from inference.model_format import robustness
from inference.model_format.card import Card, file_record
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.probe.prober import Prober
from inference.probe.robustness import version_digest
from inference.runtime.network import Network
from training.experiment import read_all
from training.provenance import provenance
from training.task import DIGITS

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
CARDS = {path.parent.name: Card.read(path) for path in sorted(MODELS.glob("*/card.json"))}
FILES = [ROOT / "data.csv", *sorted((ROOT / "data.d").glob("*.csv"))]
ROWS = {
    row["Experiment Name"]: row
    for file in FILES
    for row in csv.DictReader(file.read_text().splitlines())
}
EXPERIMENTS = {experiment.name: experiment for experiment in read_all()}
each_card = pytest.mark.parametrize("name", CARDS)
each_row = pytest.mark.parametrize("name", ROWS)


def test_shipped_models_are_at_least_24() -> None:
    assert len(CARDS) >= 24


def test_second_task_has_three_models_with_their_own_signature() -> None:
    others = [card for card in CARDS.values() if card.task != DIGITS.name]
    assert len(others) == 3
    assert {(card.task, card.classes, card.input.scale) for card in others} == {
        ("parity", ("even", "odd"), 1 / 255)
    }


@each_card
def test_robustness_file_is_that_of_its_model(name: str) -> None:
    """A model may lack the file: `make robustness` writes it."""
    folder = MODELS / name
    if (folder / ROBUSTNESS_FILE).exists():
        found = robustness.read(folder, version_digest(CARDS[name]))
        assert found is not None
        assert {(score.corruption, score.severity) for score in found.scores} == {
            (corruption.name, severity) for corruption in CORRUPTIONS for severity in SEVERITIES
        }


def test_readme_gives_the_number_of_experiments() -> None:
    of_digits = sum(experiment.task == DIGITS for experiment in EXPERIMENTS.values())
    statement = (
        f"{of_digits} experiments on digits and {len(EXPERIMENTS) - of_digits} on another task"
    )
    assert statement in " ".join((ROOT / "README.md").read_text().split())


def test_shipped_models_take_at_most_18_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) <= 18_000_000


def test_best_model_has_99_5_percent_test_accuracy() -> None:
    assert max(card.metrics["test_accuracy"] for card in CARDS.values()) >= 0.995


def test_shipped_experiments_include_good_mediocre_and_failed() -> None:
    accuracies = [card.metrics["test_accuracy"] for card in CARDS.values()]
    assert min(accuracies) < 0.2
    assert any(0.5 < accuracy < 0.95 for accuracy in accuracies)


def test_csv_files_have_one_row_per_experiment_in_order() -> None:
    assert list(ROWS) == list(EXPERIMENTS)


def test_every_model_has_a_row_and_two_rows_may_lack_a_model() -> None:
    assert (set(CARDS) - set(ROWS), len(set(ROWS) - set(CARDS)) <= 2) == (set(), True)


@each_card
def test_card_confirms_exactly_its_files(name: str) -> None:
    found = {path.name: file_record(path.read_bytes()) for path in (MODELS / name).iterdir()}
    del found["card.json"]
    found.pop("robustness.json", None)  # no part of the model
    assert found == dict(CARDS[name].files)


@each_card
def test_card_matches_its_directory_and_experiment(name: str) -> None:
    card = CARDS[name]
    experiment = EXPERIMENTS[name]
    assert (card.experiment, card.config) == (name, experiment.config())
    assert (card.task, card.classes, card.input.scale) == (
        experiment.task.name,
        experiment.task.labels,
        experiment.task.scale,
    )


@each_card
def test_card_records_parity_on_all_test_digits(name: str) -> None:
    parity = CARDS[name].parity
    assert (parity.images, parity.equal_argmax, parity.max_abs_difference <= 1e-5) == (
        10_000,
        True,
        True,
    )


@each_card
def test_shipped_model_can_be_served(name: str) -> None:
    card = CARDS[name]
    Network(
        (MODELS / name / "model.tflite").read_bytes(), len(card.classes), card.input, card.output
    )


@each_card
def test_shipped_model_reads_the_probe_as_well_as_mnist(name: str) -> None:
    card = CARDS[name]
    flatbuffer = (MODELS / name / "model.tflite").read_bytes()
    network = Network(flatbuffer, len(card.classes), card.input, card.output)
    report = Prober().report(network, file_record(flatbuffer), card)
    assert not report.warning
    if card.classes == DIGITS.labels:
        assert card.test_accuracy is not None
        assert report.reading.accuracy == pytest.approx(card.test_accuracy, abs=0.07)


def test_all_models_share_training_data_and_tensorflow_version() -> None:
    origins = {(card.data["sha256"], card.code["tensorflow"]) for card in CARDS.values()}
    assert len(origins) == 1


@each_card
def test_card_code_digest_is_that_of_the_current_code(name: str) -> None:
    card = CARDS[name]
    assert (
        card.code["sha256"] == provenance(card.data["sha256"], EXPERIMENTS[name].task).code_sha256
    )


@each_card
def test_row_matches_its_card(name: str) -> None:
    card, row = CARDS[name], ROWS[name]
    assert float(row["Test Accuracy"]) == card.metrics["test_accuracy"]
    assert float(row["Test Loss"]) == pytest.approx(card.metrics["test_loss"], rel=1e-6)
    assert json.loads(row["Loss"])["Value"][-1] == pytest.approx(
        card.metrics["last_loss"], rel=1e-6
    )
    assert int(row["Parameters"]) == card.parameters


@each_row
def test_row_matches_its_experiment(name: str) -> None:
    row, experiment = ROWS[name], EXPERIMENTS[name]
    columns = (
        float(row["Learning Rate"]),
        float(row["Momentum"]),
        row["Architecture"],
        int(row["Epochs"]),
        row.get("Task", "mnist"),
    )
    assert columns == (
        experiment.learning_rate,
        experiment.momentum,
        experiment.architecture.label,
        experiment.epochs,
        experiment.task.name,
    )


@each_row
def test_loss_curve_has_50_to_500_finite_points_in_order(name: str) -> None:
    curve = json.loads(ROWS[name]["Loss"])
    steps, values = curve["Step"], curve["Value"]
    assert 50 <= len(steps) == len(values) <= 500
    assert all(map(math.isfinite, values))
    assert all(earlier < later for earlier, later in pairwise(steps))
