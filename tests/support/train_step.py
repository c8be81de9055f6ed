"""The step train in tests: its context in a real database, and trainings that are not computed."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    Card,
    Parity,
    file_record,
)
from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps.context import Run, StepContext
from pipeline.training.child_process import Message
from pipeline.training.children.propose import propose
from tests.support.training import write_split_dataset
from training import split_dataset
from training.job import Job
from training.publish import MODEL

EXPERIMENT = "mnist_experiment_12__lenet5"
Report = Callable[[Message | None], None]


def make_context(
    folder: Path,
    name: str = EXPERIMENT,
    count: int = 360,
    environ: Mapping[str, str] | None = None,
    **params: Any,
) -> StepContext:
    """Return the context of a run whose step train is RUNNING, with drawn digits as its data.

    libpq's variables name the database.
    """
    task = name.split("_", 1)[0]
    classes = ("even", "odd") if task == "parity" else tuple("0123456789")
    database, token = Database(), str(uuid.uuid4())
    [row] = database.query(
        """INSERT INTO pipeline_runs (task, experiment_name, state, lease_token, heartbeat_at)
        VALUES (%s, %s, 'RUNNING', %s, now()) RETURNING id""",
        [task, name, token],
    )
    database.query(
        """INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker)
        VALUES (%s, 'train', 4, 1, 'RUNNING', 'w')""",
        [row["id"]],
    )
    work = folder / str(row["id"])
    work.mkdir(parents=True)
    data = write_split_dataset(work / "prepared.npz", count, classes)
    outputs = {
        "ingest": {"digest": "d" * 64},
        "prepare": {"file": data.name, "sha256": split_dataset.load(data, classes).sha256},
    }
    settings = from_environment({"IMAGES_URL": str(folder / "images"), **(environ or {})})
    run = Run(row["id"], "retrain", task, name, params, None, "api")
    return StepContext(run, "train", token, outputs, work, settings, database)


@dataclass
class FakeChild:
    """Replaces run_child: gives each training a validation accuracy, None for a diverged one.

    `seeds` has the accuracies by seed, and `folds` computes that of a fold from its
    hyperparameters. `calls` lists the seeds and folds that were trained.
    """

    seeds: Mapping[int, float | None] = field(default_factory=dict)
    folds: Callable[[Mapping[str, Any], int], float | None] = lambda _params, _fold: 0.5
    calls: list[Any] = field(default_factory=list)

    def __call__(self, module: str, request: str, _log: Path, report: Report) -> Message:
        document = json.loads(request)
        if module.endswith("propose"):
            return propose(document, lambda _: None)
        if module.endswith("folds"):
            return self._measure(document, report)
        job = Job.from_document(document)
        self.calls.append(job.experiment.seed)
        report({"epoch": 1, "step": 1, "steps": 2, "loss": 2.3})
        stage(job, self.seeds[job.experiment.seed])
        return {"resumed_at_epoch": None}

    def _measure(self, request: Mapping[str, Any], report: Report) -> Message:
        for one in request["folds"]:
            job = Job.from_document(one["job"])
            assert job.fold is not None
            accuracy = self.folds(job.experiment.config(), job.fold)
            self.calls.append((job.folder.parent.name, job.fold))
            result = {
                "outcome": "diverged" if accuracy is None else "finished",
                "validation_accuracy": accuracy,
                "seconds": 1.0,
                "curve": {"Step": [1], "Value": [2.0]},
            }
            report({"id": one["id"], "fold": result})
        return {}


def stage(job: Job, accuracy: float | None) -> None:
    """Write what a training stages."""
    model = job.folder / MODEL
    if accuracy is not None:
        model.mkdir(parents=True)
        contents = {
            name: f"{name} {job.fingerprint}".encode() for name in (KERAS_FILE, LITERT_FILE)
        }
        for name, content in contents.items():
            (model / name).write_bytes(content)
        Card(
            job.experiment.name,
            {name: file_record(content) for name, content in contents.items()},
            Parity(0, 0.0, equal_argmax=True),
            metrics={"validation_accuracy": accuracy, "test_accuracy": accuracy / 2},
        ).write(model / CARD_FILE)
    job.folder.mkdir(parents=True, exist_ok=True)
    row = {
        "Outcome": "diverged" if accuracy is None else "finished",
        "Seconds": "1.5",
        "Loss": '{"Step": [1], "Value": [2.0]}',
    }
    staged = {"fingerprint": job.fingerprint, "row": row}
    (job.folder / "row.json").write_text(json.dumps(staged))
