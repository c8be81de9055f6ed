"""Training jobs: their form as JSON, and the data that they load."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training import FAST, ORIGIN, SMALL, write_split_dataset
from training import experiment, split_dataset
from training.dataset import InvalidDatasetError
from training.job import Job, execute, load_data
from training.provenance import Origin
from training.task import DIGITS, Task

CURVES = Task("curves", (("round", (0, 3, 6, 8, 9)), ("straight", (1, 4, 7))), "0..1")


@pytest.mark.parametrize(
    "job",
    [
        Job(SMALL, ORIGIN, Path("/work")),
        Job(
            replace(FAST, task=CURVES, seed=9),
            ORIGIN,
            Path("/work"),
            Path("/data.npz"),
            3,
            Origin("d" * 64, 20),
        ),
    ],
)
def test_job_round_trips_through_json(job: Job) -> None:
    assert Job.from_document(json.loads(json.dumps(job.document()))) == job


def test_fingerprint_tells_folds_apart() -> None:
    jobs = [Job(SMALL, ORIGIN, Path(), fold=fold) for fold in (None, 1, 2)]
    assert len({job.fingerprint for job in jobs}) == 3


@pytest.mark.parametrize("known", experiment.read_all(), ids=lambda one: one.name)
def test_from_config_returns_each_shipped_experiment(known: experiment.Experiment) -> None:
    assert experiment.from_config(known.name, known.config()) == known


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": "3"}, "epochs must be int"),
        ({"rate": 1.0}, "unknown key rate"),
        ({"architecture": {"name": "none"}}, "none"),
        ({"architecture": None}, "invalid"),
        ({"task": {"name": "curves"}}, "classes"),
    ],
)
def test_from_config_invalid_value_raises(changes: dict[str, object], message: str) -> None:
    with pytest.raises(experiment.InvalidExperimentError, match=message):
        experiment.from_config("a", SMALL.config() | changes)


def test_load_data_of_a_split_dataset_keeps_class_numbers(tmp_path: Path) -> None:
    path = write_split_dataset(tmp_path / "a.npz", classes=("even", "odd"))
    parity = Task("parity", (("even", (0, 2, 4, 6, 8)), ("odd", (1, 3, 5, 7, 9))))
    data = load_data(Job(replace(FAST, task=parity), ORIGIN, tmp_path, path))
    assert set(np.unique(data.train.labels)) == {0, 1}
    with pytest.raises(InvalidDatasetError, match="the task has 0, 1"):
        load_data(Job(FAST, ORIGIN, tmp_path, path))


def test_execute_changed_dataset_raises(tmp_path: Path) -> None:
    path = write_split_dataset(tmp_path / "a.npz")
    with pytest.raises(InvalidDatasetError, match="changed after the training was requested"):
        execute(Job(FAST, ORIGIN, tmp_path, path), lambda _: None)


def test_execute_fewer_images_than_a_batch_raises(tmp_path: Path) -> None:
    path = write_split_dataset(tmp_path / "a.npz", count=24)
    origin = replace(ORIGIN, data_sha256=split_dataset.load(path, DIGITS.labels).sha256)
    job = Job(replace(FAST, batch_size=64), origin, tmp_path, path)
    with pytest.raises(InvalidDatasetError, match="20 images for training and 4 for validation"):
        execute(job, lambda _: None)
