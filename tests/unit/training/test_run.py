"""Training for real, on small digits that the tests draw.

The same again, stopped and resumed, diverged, published.
"""

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from inference.compiler.conversion import to_litert
from inference.model_format.card import Card, file_record
from training import checkpoint, dataset, publish, run
from training.architectures import ARCHITECTURES, Cnn, DeepCnn, LeNet5, Mlp, SoftmaxRegression
from training.dataset import Dataset
from training.experiment import Experiment
from training.provenance import Provenance

# Keras saves its weights through a protocol that numpy 2 finds old.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword"
)

ORIGIN = Provenance("a" * 64, "b" * 64, "3", "2")
SMALL = Experiment(
    # Dropout and batch normalisation, because both have a state of their own.
    name="mnist_experiment_1__small",
    architecture=DeepCnn((4, 8), dropout=0.2),
    learning_rate=0.1,
    momentum=0.9,
    epochs=3,
    batch_size=16,
    seed=5,
    schedule="cosine",
    augment=True,
    weight_decay=0.001,
)
FAST = replace(SMALL, architecture=Mlp((16,), dropout=0.1), augment=False)


def drawn_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    font = ImageFont.load_default(size=20)
    images = []
    for index in range(count):
        image = Image.new("L", (28, 28))
        ImageDraw.Draw(image).text(
            tuple(rng.uniform(4, 10, 2)), str(index % 10), fill=255, font=font
        )
        images.append(np.asarray(image))
    return np.stack(images), (np.arange(count) % 10).astype(np.uint8)


@pytest.fixture(scope="module")
def mnist_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    (x_train, y_train), (x_test, y_test) = drawn_digits(600, seed=1), drawn_digits(60, seed=2)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="module")
def data(mnist_path: Path) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_PATH", str(mnist_path))
        return dataset.load()


def trained(experiment: Experiment, data: Dataset, folder: Path) -> run.Run:
    return run.train(experiment, data, folder / "checkpoint.npz", "f", lambda _: None)


@pytest.fixture(scope="module")
def small(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> run.Run:
    return trained(SMALL, data, tmp_path_factory.mktemp("small"))


def numbers(result: run.Run) -> tuple[object, ...]:
    weights = [np.asarray(weight).tobytes() for weight in result.model.get_weights()]
    return result.loss, result.validation_loss, result.scores, weights


def test_the_same_experiment_gives_the_same_numbers_bit_for_bit(
    small: run.Run, data: Dataset, tmp_path: Path
) -> None:
    assert numbers(trained(SMALL, data, tmp_path)) == numbers(small)


@pytest.mark.parametrize(
    "stop_at", [40, 70, 99]
)  # of 34 steps per epoch: in the second and the third one
def test_a_run_that_was_stopped_and_resumed_gives_the_same_numbers_bit_for_bit(
    small: run.Run, data: Dataset, tmp_path: Path, stop_at: int
) -> None:
    def stop(progress: run.Progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train(SMALL, data, tmp_path / "checkpoint.npz", "f", stop)
    steps: list[int] = []
    resumed = run.train(
        SMALL, data, tmp_path / "checkpoint.npz", "f", lambda progress: steps.append(progress.step)
    )
    assert (numbers(resumed), steps[0]) == (numbers(small), stop_at // 34 * 34 + 1)


def test_another_seed_gives_other_numbers(data: Dataset, tmp_path: Path) -> None:
    first, second = (
        trained(replace(FAST, seed=seed), data, tmp_path / str(seed)) for seed in (1, 2)
    )
    assert first.loss.values[0] != second.loss.values[0]


def test_it_learns(data: Dataset, tmp_path: Path) -> None:
    result = trained(FAST, data, tmp_path)
    assert result.outcome == "finished"
    assert result.loss.values[-1] < result.loss.values[0] / 2


def test_a_checkpoint_of_another_fingerprint_is_not_used(data: Dataset, tmp_path: Path) -> None:
    trained(FAST, data, tmp_path)
    assert checkpoint.read(tmp_path / "checkpoint.npz", "f") is not None
    assert checkpoint.read(tmp_path / "checkpoint.npz", "g") is None


def test_a_damaged_checkpoint_is_not_used(data: Dataset, tmp_path: Path) -> None:
    trained(FAST, data, tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert checkpoint.read(path, "f") is None


def test_every_change_of_what_decides_the_numbers_changes_the_fingerprint() -> None:
    changed = [
        ORIGIN.fingerprint(replace(SMALL, seed=6)),
        ORIGIN.fingerprint(replace(SMALL, architecture=DeepCnn((4, 8), dropout=0.3))),
        replace(ORIGIN, data_sha256="c").fingerprint(SMALL),
        replace(ORIGIN, code_sha256="c").fingerprint(SMALL),
        replace(ORIGIN, keras="4").fingerprint(SMALL),
        ORIGIN.fingerprint(SMALL),
    ]
    assert len(set(changed)) == len(changed)


def test_the_published_loss_is_the_mean_of_a_window_at_its_last_step() -> None:
    losses = [float(step) for step in range(1, 1202)]  # windows of 3: 1201 is a window of its own
    curve = run.windows(losses)
    assert (curve.steps[:2], curve.values[:2], curve.steps[-1], curve.values[-1]) == (
        (3, 6),
        (2.0, 5.0),
        1201,
        1201.0,
    )


@pytest.mark.parametrize("steps", [50, 499, 500, 501, 1000, 1001, 17180, 99999])
def test_a_loss_curve_has_50_to_500_points(steps: int) -> None:
    curve = run.windows([1.0] * steps)
    assert 50 <= len(curve.steps) <= 500
    assert curve.steps[-1] == steps


def exploding(data: Dataset, folder: Path) -> run.Run:
    # A decay that overshoots: every step multiplies the weights by -9, until they are infinite.
    return trained(
        replace(FAST, schedule="constant", learning_rate=1.0, momentum=0.0, weight_decay=10.0),
        data,
        folder,
    )


def test_a_run_that_leaves_the_finite_numbers_stops_there_and_keeps_its_finite_losses(
    data: Dataset, tmp_path: Path
) -> None:
    result = exploding(data, tmp_path)
    assert (result.outcome, result.scores) == ("diverged", {})
    assert 0 < result.loss.steps[-1] < 3 * 34
    assert all(map(math.isfinite, result.loss.values))


def test_a_diverged_run_is_published_as_a_row_without_a_model(
    data: Dataset, tmp_path: Path
) -> None:
    publish.stage(FAST, exploding(data, tmp_path), data.test, ORIGIN, tmp_path)
    row = publish.staged_row(tmp_path, ORIGIN.fingerprint(FAST))
    assert row is not None
    assert (row["Outcome"], row["Test Accuracy"], row["Test Loss"]) == ("diverged", "", "")
    assert not (tmp_path / "model").exists()
    assert not re.search("nan|inf", row["Loss"], re.IGNORECASE)


@pytest.mark.parametrize(
    "architecture",
    [
        SoftmaxRegression(),
        Mlp((8,), "sigmoid", 0.1),
        LeNet5("tanh"),
        Cnn((2, 4), 8, 0.1),
        DeepCnn((2, 4, 4), 0.1),
    ],
)
def test_every_architecture_takes_raw_pixels_gives_probabilities_and_agrees_in_litert(
    architecture: object,
) -> None:
    model = architecture.build()  # type: ignore[attr-defined]
    images = drawn_digits(30, seed=3)[0]
    probabilities = np.asarray(model(images.astype(np.float32), training=False))
    assert (model.input_shape, probabilities.shape) == ((None, 28, 28), (30, 10))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert publish.parity_of(model, to_litert(model), images).images == 30


def test_every_architecture_is_tested_above() -> None:
    assert set(ARCHITECTURES) == {"softmax_regression", "mlp", "lenet5", "cnn", "deep_cnn"}


def test_a_model_that_litert_computes_differently_is_not_published() -> None:
    one, other = (SoftmaxRegression().build() for _ in range(2))
    with pytest.raises(publish.ParityError, match="disagree"):
        publish.parity_of(one, to_litert(other), drawn_digits(30, seed=3)[0])


def test_a_card_says_what_was_trained_and_confirms_its_files(
    small: run.Run, data: Dataset, tmp_path: Path
) -> None:
    publish.stage(SMALL, small, data.test, ORIGIN, tmp_path)
    card = Card.read(tmp_path / "model" / "card.json")
    assert {
        name: file_record((tmp_path / "model" / name).read_bytes()) for name in card.files
    } == dict(card.files)
    assert (card.experiment, card.config) == (SMALL.name, SMALL.config())
    assert card.metrics == small.scores | {"last_loss": small.loss.values[-1]}
    assert card.parity.images == len(data.test.labels)


def test_a_row_has_the_columns_of_data_csv_in_their_form(small: run.Run) -> None:
    row = publish.row_of(SMALL, small, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert tuple(row) == publish.COLUMNS
    assert row["Experiment Name"] == "mnist_experiment_1__small"
    assert row["Trained At"] == "2030-01-02T03:04:05Z"
    assert json.loads(row["Loss"])["Step"] == list(range(1, 103))
    assert len(json.loads(row["Validation Loss"])["Value"]) == 3


def test_rows_are_replaced_in_their_place_and_other_rows_and_columns_stay(tmp_path: Path) -> None:
    data_csv = tmp_path / "data.csv"
    data_csv.write_text("Experiment Name,Note\nmine,x\nours,\nlast,z\n")
    rows = [{"Experiment Name": name, "Seed": "7"} for name in ("ours", "new")]
    table = list(csv.DictReader(io.StringIO(publish.merged(data_csv, rows))))
    assert [(row["Experiment Name"], row["Seed"], row["Note"]) for row in table] == [
        ("mine", "", "x"),
        ("ours", "7", ""),
        ("last", "", "z"),
        ("new", "7", ""),
    ]


def staged(work: Path, name: str, content: str | None) -> dict[str, str]:
    if content is not None:
        (work / name / "model").mkdir(parents=True)
        (work / name / "model" / "model.keras").write_text(content)
    return {"Experiment Name": name}


def test_publishing_replaces_models_removes_what_is_not_kept_and_leaves_others(
    tmp_path: Path,
) -> None:
    work, models = tmp_path / "work", tmp_path / "models"
    for name in ("replaced", "dropped", "foreign"):
        (models / name).mkdir(parents=True)
        (models / name / "model.keras").write_text("old")
    rows = [staged(work, "replaced", "new"), staged(work, "dropped", None)]
    for _ in range(2):  # repeated, as after a kill
        publish.publish(rows, work, models, tmp_path / "data.csv")
    contents = {path.parent.name: path.read_text() for path in models.glob("*/model.keras")}
    assert contents == {"replaced": "new", "foreign": "old"}
    assert sorted(path.name for path in models.iterdir()) == ["foreign", "replaced"]


def test_data_csv_is_not_touched_when_a_model_cannot_be_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("no space")

    data_csv = tmp_path / "data.csv"
    data_csv.write_text("Experiment Name\nold\n")
    monkeypatch.setattr("shutil.copytree", full_disk)
    with pytest.raises(OSError, match="no space"):
        publish.publish([staged(tmp_path, "new", "new")], tmp_path, tmp_path / "models", data_csv)
    assert data_csv.read_text() == "Experiment Name\nold\n"


COMMAND_EXPERIMENT = """
learning_rate = 0.05
momentum = 0.9
epochs = 20
batch_size = 8
seed = 3

[architecture]
name = "mlp"
hidden = [256, 256]
dropout = 0.2
"""


def command(folder: Path, mnist_path: Path, work: str) -> subprocess.Popen[str]:
    places = [
        "--experiments",
        folder,
        "--models",
        folder / work / "models",
        "--data-csv",
        folder / work / "data.csv",
    ]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "training.train",
            *map(str, places),
            "--work",
            str(folder / work / "train"),
        ],
        env=os.environ | {"MNIST_PATH": str(mnist_path)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_that_was_terminated_goes_on_and_publishes_what_an_uninterrupted_one_does(
    tmp_path: Path, mnist_path: Path
) -> None:
    (tmp_path / "mnist_experiment_1__a.toml").write_text(COMMAND_EXPERIMENT)
    straight = command(tmp_path, mnist_path, "straight")
    stopped = command(tmp_path, mnist_path, "stopped")
    reached = tmp_path / "stopped" / "train" / "mnist_experiment_1__a" / "checkpoint.npz"
    deadline = time.monotonic() + 60
    while not reached.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate(timeout=60)[1]
    assert (stopped.returncode, "goes on" in said) == (130, True), said
    assert not (tmp_path / "stopped" / "data.csv").exists()
    again = command(tmp_path, mnist_path, "stopped")
    for process in (straight, again):
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
    tables = [
        [
            {key: value for key, value in row.items() if key not in ("Trained At", "Seconds")}
            for row in csv.DictReader((tmp_path / work / "data.csv").read_text().splitlines())
        ]
        for work in ("straight", "stopped")
    ]
    assert tables[0] == tables[1]
    assert [path.name for path in (tmp_path / "stopped" / "train").iterdir()] == ["lock"]
    assert (tmp_path / "stopped" / "models" / "mnist_experiment_1__a" / "card.json").exists()


def test_an_unknown_name_is_an_error_and_trains_nothing(tmp_path: Path) -> None:
    (tmp_path / "mnist_experiment_1__a.toml").write_text(COMMAND_EXPERIMENT)
    done = subprocess.run(
        [sys.executable, "-m", "training.train", "--experiments", str(tmp_path), "nope"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: no such experiment: nope\n")
