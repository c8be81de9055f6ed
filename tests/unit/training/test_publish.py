"""Publication: staged models and rows, and their atomic replacement."""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.compiler.conversion import to_litert
from inference.model_format import robustness
from inference.model_format.card import Card, file_record
from monitoring.references.files import read_reference
from tests.support.training import FAST, ORIGIN, SMALL, draw_digits, train_exploding
from training import csv_rows, publish, run
from training.architectures import SoftmaxRegression
from training.dataset import Dataset, Digits
from training.provenance import Origin

# Keras saves its weights through a protocol that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword"
)


def stage_model(work: Path, name: str, content: str | None) -> dict[str, str]:
    if content is not None:
        (work / name / "model").mkdir(parents=True)
        (work / name / "model" / "model.keras").write_text(content)
    return {"Experiment Name": name}


def test_stage_diverged_run_writes_row_without_model(data: Dataset, tmp_path: Path) -> None:
    publish.stage(FAST, train_exploding(data, tmp_path), data.test, ORIGIN, tmp_path)
    row = publish.staged_row(tmp_path, ORIGIN.fingerprint(FAST))
    assert row is not None
    assert (row["Outcome"], row["Test Accuracy"], row["Test Loss"]) == ("diverged", "", "")
    assert not (tmp_path / "model").exists()
    assert not re.search("nan|inf", row["Loss"], re.IGNORECASE)


def test_check_parity_different_model_raises() -> None:
    one, other = (SoftmaxRegression().build() for _ in range(2))
    with pytest.raises(publish.ParityError, match="disagree"):
        publish.check_parity(one, to_litert(other), draw_digits(30, seed=3)[0])


def test_stage_card_describes_run_and_file_digests(
    small: run.Run, data: Dataset, tmp_path: Path
) -> None:
    origin = Origin("d" * 64, 20)
    publish.stage(SMALL, small, data.test, ORIGIN, tmp_path, origin)
    card = Card.read(tmp_path / "model" / "card.json")
    assert {
        name: file_record((tmp_path / "model" / name).read_bytes()) for name in card.files
    } == dict(card.files)
    assert (card.experiment, card.config) == (SMALL.name, SMALL.config())
    assert card.metrics == small.scores | {"last_loss": small.loss.values[-1]}
    assert card.parity.images == len(data.test.labels)
    assert card.data == {"name": "mnist", "sha256": "a" * 64, "dataset_digest": "d" * 64}
    assert card.run == {"id": 20, "seed": SMALL.seed}


def test_stage_writes_reference_and_robustness_of_a_model(small: run.Run, tmp_path: Path) -> None:
    images, labels = draw_digits(120, seed=4)
    test = Digits(images, labels.astype(np.int32))
    publish.stage(SMALL, small, test, ORIGIN, tmp_path)
    card = Card.read(tmp_path / "model" / "card.json")
    reference = read_reference(tmp_path / "model")
    assert reference is not None
    assert card.files["reference.json"].sha256 == reference.digest
    assert reference["as_sent"].images == 120
    measured = robustness.read(tmp_path / "model", card.files["model.keras"].sha256)
    assert measured is not None
    assert measured.images == 120
    publish.stage(SMALL, small, test, ORIGIN, tmp_path, Origin("d" * 64, 20))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "card.json",
        "model.keras",
        "model.tflite",
    ]


def test_build_row_has_columns_and_formats_of_data_csv(small: run.Run) -> None:
    row = publish.build_row(SMALL, small, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert tuple(row) == csv_rows.COLUMNS
    assert row["Experiment Name"] == "mnist_experiment_1__small"
    assert row["Trained At"] == "2030-01-02T03:04:05Z"
    assert json.loads(row["Loss"])["Step"] == list(range(1, 103))
    assert len(json.loads(row["Validation Loss"])["Value"]) == 3


UNMERGEABLE = {
    "separator line": "sep=,\nExperiment Name,Seed\nmine,1\n",
    "semicolons": "Experiment Name;Seed\nmine;1\n",
    "caption": "Our runs\n\nExperiment Name,Seed\nmine,1\n",
    "blank first line": "\nExperiment Name,Seed\nmine,1\n",
    "other title": "experiment_name,Seed\nmine,1\n",
    "more cells than titles": "Experiment Name,Seed\nmine,1,2\n",
    "UTF-16": "Experiment Name,Seed\nmine,1\n",
}


@pytest.mark.parametrize("kind", UNMERGEABLE)
def test_publish_file_it_cannot_merge_is_told_before_any_change(tmp_path: Path, kind: str) -> None:
    data_csv, models = tmp_path / "data.csv", tmp_path / "models"
    data_csv.write_text(UNMERGEABLE[kind], encoding="utf-16" if kind == "UTF-16" else "utf-8")
    before = data_csv.read_bytes()
    rows = [stage_model(tmp_path, "new", "new")]
    with pytest.raises(csv_rows.UnmergeableFileError, match=r"data\.csv .*Experiment Name.*comma"):
        publish.publish(rows, tmp_path, models, data_csv)
    assert data_csv.read_bytes() == before
    assert not models.exists()


def test_publish_replaces_and_removes_models_keeps_others(
    tmp_path: Path,
) -> None:
    work, models = tmp_path / "work", tmp_path / "models"
    for name in ("replaced", "dropped", "foreign"):
        (models / name).mkdir(parents=True)
        (models / name / "model.keras").write_text("old")
    rows = [stage_model(work, "replaced", "new"), stage_model(work, "dropped", None)]
    for _ in range(2):  # repeated, as after a kill
        publish.publish(rows, work, models, tmp_path / "data.csv")
    contents = {path.parent.name: path.read_text() for path in models.glob("*/model.keras")}
    assert contents == {"replaced": "new", "foreign": "old"}
    assert sorted(path.name for path in models.iterdir()) == ["foreign", "replaced"]


def test_publish_failed_copy_leaves_data_csv_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("no space")

    data_csv = tmp_path / "data.csv"
    data_csv.write_text("Experiment Name\nold\n")
    monkeypatch.setattr("shutil.copytree", full_disk)
    with pytest.raises(OSError, match="no space"):
        publish.publish(
            [stage_model(tmp_path, "new", "new")], tmp_path, tmp_path / "models", data_csv
        )
    assert data_csv.read_text() == "Experiment Name\nold\n"


def test_publish_task_row_goes_to_the_task_file(tmp_path: Path) -> None:
    rows = [{"Experiment Name": "plain"}, {"Experiment Name": "new", "Task": "curves"}]
    publish.publish(rows, tmp_path / "work", tmp_path / "models", tmp_path / "data.csv")
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.csv")}
    tables = {
        name: list(csv.DictReader(path.read_text().splitlines())) for name, path in files.items()
    }
    assert {name: [row["Experiment Name"] for row in table] for name, table in tables.items()} == {
        "data.csv": ["plain"],
        "data.d/curves.csv": ["new"],
    }
    assert (tables["data.csv"][0].get("Task"), tables["data.d/curves.csv"][0]["Task"]) == (
        None,
        "curves",
    )
