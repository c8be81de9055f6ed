"""What the repository ships: models/ and data.csv belong together and hold what the documentation promises."""

import csv
import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from inference.card import Card, file_record
from inference.engine import Network
from training.experiment import read_all

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
CARDS = {path.parent.name: Card.read(path) for path in sorted(MODELS.glob("*/card.json"))}
ROWS = {row["Experiment Name"]: row for row in csv.DictReader((ROOT / "data.csv").read_text().splitlines())}
EXPERIMENTS = {experiment.name: experiment for experiment in read_all()}
each_card = pytest.mark.parametrize("name", CARDS)
each_row = pytest.mark.parametrize("name", ROWS)


def test_at_least_24_models_are_shipped() -> None:
    assert len(CARDS) >= 24


def test_all_models_together_are_at_most_15_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) <= 15_000_000


def test_the_best_model_reads_99_5_percent_of_the_test_digits() -> None:
    assert max(card.metrics["test_accuracy"] for card in CARDS.values()) >= 0.995


def test_good_mediocre_and_failed_experiments_are_shipped() -> None:
    accuracies = [card.metrics["test_accuracy"] for card in CARDS.values()]
    assert min(accuracies) < 0.2
    assert any(0.5 < accuracy < 0.95 for accuracy in accuracies)


def test_data_csv_has_a_row_per_experiment_in_their_order() -> None:
    assert list(ROWS) == list(EXPERIMENTS)


def test_every_model_has_a_row_and_at_most_two_rows_have_no_model() -> None:
    assert (set(CARDS) - set(ROWS), len(set(ROWS) - set(CARDS)) <= 2) == (set(), True)


@each_card
def test_a_card_confirms_exactly_the_files_beside_it(name: str) -> None:
    found = {path.name: file_record(path.read_bytes()) for path in (MODELS / name).iterdir()}
    del found["card.json"]
    assert found == dict(CARDS[name].files)


@each_card
def test_a_card_belongs_to_its_directory_and_its_experiment(name: str) -> None:
    card = CARDS[name]
    assert (card.experiment, card.config) == (name, EXPERIMENTS[name].config())


@each_card
def test_litert_agreed_with_keras_on_all_test_digits(name: str) -> None:
    parity = CARDS[name].parity
    assert (parity.images, parity.equal_argmax, parity.max_abs_difference <= 1e-5) == (10_000, True, True)


@each_card
def test_a_shipped_model_can_be_served(name: str) -> None:
    Network((MODELS / name / "model.tflite").read_bytes(), classes=len(CARDS[name].classes))


def test_all_models_were_trained_on_the_same_data_by_the_same_code() -> None:
    origins = {(card.data["sha256"], card.code["sha256"], card.code["tensorflow"]) for card in CARDS.values()}
    assert len(origins) == 1


@each_card
def test_a_row_and_a_card_say_the_same(name: str) -> None:
    card, row = CARDS[name], ROWS[name]
    assert float(row["Test Accuracy"]) == card.metrics["test_accuracy"]
    assert float(row["Test Loss"]) == pytest.approx(card.metrics["test_loss"], rel=1e-6)
    assert json.loads(row["Loss"])["Value"][-1] == pytest.approx(card.metrics["last_loss"], rel=1e-6)
    assert int(row["Parameters"]) == card.parameters


@each_row
def test_a_row_says_what_its_experiment_was(name: str) -> None:
    row, experiment = ROWS[name], EXPERIMENTS[name]
    told = (float(row["Learning Rate"]), float(row["Momentum"]), row["Architecture"], int(row["Epochs"]))
    assert told == (
        experiment.learning_rate,
        experiment.momentum,
        experiment.architecture.label,
        experiment.epochs,
    )


@each_row
def test_a_loss_curve_has_50_to_500_finite_points_at_increasing_steps(name: str) -> None:
    curve = json.loads(ROWS[name]["Loss"])
    steps, values = curve["Step"], curve["Value"]
    assert 50 <= len(steps) == len(values) <= 500
    assert all(map(math.isfinite, values))
    assert all(earlier < later for earlier, later in pairwise(steps))
