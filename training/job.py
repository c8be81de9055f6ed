"""Training job: one experiment with its data and its folder, as a training process gets it.

A job of the shipped experiments reads MNIST. A job of the pipeline names a split dataset, the run
that it belongs to, and sometimes a fold: it then measures one fold and stages no model.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training import dataset, publish, run, split_dataset
from training.dataset import Dataset
from training.experiment import Experiment, from_config
from training.provenance import NO_ORIGIN, Origin, Provenance

CHECKPOINT_FILE = "checkpoint.npz"


@dataclass(frozen=True)
class Job:
    """One training.

    `folder` gets the checkpoint, the log and the staged result. `data_file` is a split dataset;
    without it, the job reads MNIST as `dataset.load` does. `fold` counts from 1. `origin` is what
    the card of the model says about its run, see `training.publish`.
    """

    experiment: Experiment
    provenance: Provenance
    folder: Path
    data_file: Path | None = None
    fold: int | None = None
    origin: Origin = NO_ORIGIN

    @property
    def fingerprint(self) -> str:
        """Return the digest of everything that determines the result."""
        fingerprint = self.provenance.fingerprint(self.experiment)
        if self.fold is None:
            return fingerprint
        return hashlib.sha256(f"{fingerprint} fold {self.fold}".encode()).hexdigest()

    def document(self) -> dict[str, Any]:
        """Return the job as a JSON object, for another process on this machine."""
        return {
            "name": self.experiment.name,
            "config": self.experiment.config(),
            "provenance": vars(self.provenance),
            "folder": str(self.folder.absolute()),
            "data_file": self.data_file and str(self.data_file.absolute()),
            "fold": self.fold,
            "origin": vars(self.origin),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Job":
        """Return the job in a JSON object of `document`."""
        return cls(
            experiment=from_config(document["name"], document["config"]),
            provenance=Provenance(**document["provenance"]),
            folder=Path(document["folder"]),
            data_file=document["data_file"] and Path(document["data_file"]),
            fold=document["fold"],
            origin=Origin(**document["origin"]),
        )


def execute(job: Job, report: Callable[[run.Progress], None]) -> run.Run:
    """Train from the job's checkpoint if there is one, and stage the result unless it is a fold.

    Raises InvalidDatasetError if the data cannot be read, changed since the job was made, or has
    fewer training images than a batch.
    """
    data = load_data(job)
    if data.sha256 != job.provenance.data_sha256:
        raise dataset.InvalidDatasetError(
            "The dataset changed after the training was requested. Start the training again."
        )
    if job.fold is not None:
        data = split_dataset.fold(data, job.fold)
    experiment, task = job.experiment, job.experiment.task
    if len(data.train.labels) < experiment.batch_size or not len(data.validation.labels):
        raise dataset.InvalidDatasetError(
            f"The dataset has {len(data.train.labels)} images for training and"
            f" {len(data.validation.labels)} for validation. Add images:"
            f" at least one batch of {experiment.batch_size}, and one for validation."
        )
    prepared = replace(experiment, architecture=task.with_output_layer(experiment.architecture))
    result = run.train(prepared, data, job.folder / CHECKPOINT_FILE, job.fingerprint, report)
    if job.fold is None:
        publish.stage(experiment, result, data.test, job.provenance, job.folder, job.origin)
    return result


def load_data(job: Job) -> Dataset:
    """Load the job's dataset with the class numbers of its task as labels."""
    task = job.experiment.task
    if job.data_file is None:
        return task.with_class_labels(dataset.load())
    return split_dataset.load(job.data_file, task.labels)
