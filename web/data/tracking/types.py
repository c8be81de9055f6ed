"""Types of tracking: runs, their curves, models, lineage and artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

RUNNING = "running"


@dataclass(frozen=True)
class Run:
    """An experiment: a row of a CSV file, or a run that training code logs.

    Attributes:
        id, name, task: its number, name and classification task.
        run_id: identifier that clients use.
        source: csv, api, mlflow or pipeline.
        state: running, finished, failed or killed.
        project, owner: None without one.
        note, note_revision: note in Markdown, and the number of its changes.
        tags: tags by key.
        params: parameters by name.
        metrics: last values by name. Accuracies are 0 to 1.
        learning_rate, momentum: None for a run without them.
        source_file, source_line: place in a CSV file, None for a run of training code.
        created_at: time of the import, or of the creation.
        started_at, ended_at: of the training, None while unknown.
        heartbeat_at: last request of the training code, None for a CSV row.
        silent_since: last request of a running run that went silent, else None.
        archived_at, missing_since: None for an experiment that is neither.
        previous_names: latest first.
        note_author, tags_author: of the current note, and of the last change of the tags by hand;
            None if unknown.

    """

    id: int
    name: str
    task: str
    run_id: str
    source: str
    state: str
    project: str | None
    owner: str | None
    note: str
    note_revision: int
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    learning_rate: float | None
    momentum: float | None
    source_file: str | None
    source_line: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    heartbeat_at: datetime | None
    silent_since: datetime | None
    archived_at: datetime | None
    missing_since: datetime | None
    previous_names: Sequence[str]
    note_author: str | None = None
    tags_author: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether training code still logs to it."""
        return self.state == RUNNING


@dataclass(frozen=True)
class Curve:
    """Curve of one metric.

    Attributes:
        metric: its name.
        steps: strictly increasing steps.
        values: value at each step. It may be NaN or infinite.

    """

    metric: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class CurveSummary:
    """Best and last value of a curve."""

    metric: str
    points: int
    best_value: float
    best_step: int
    last_value: float
    last_step: int


@dataclass(frozen=True)
class RunModel:
    """Version of a model of the experiment.

    Attributes:
        version, digest, status: its number, the digest of its files, and its state.
        test_accuracy: of its card, 0 to 1, None without one.
        aliases: aliases that point to it.
        images, correct: labeled images that it predicted, and correct predictions of them.
        dataset_digest, dataset_images: dataset of its training, None if unknown.
        evaluated_set, evaluated_images, evaluated_correct: last evaluation on a labeled set, the
            test images first. None without one.
        pipeline_run, seed: run of the pipeline that trained it, and its seed. None if none did.
        training: origin by its card.

    """

    version: int
    digest: str | None
    status: str
    test_accuracy: float | None
    aliases: Sequence[str]
    images: int
    correct: int
    dataset_digest: str | None
    dataset_images: int | None
    evaluated_set: str | None
    evaluated_images: int | None
    evaluated_correct: int | None
    pipeline_run: int | None
    seed: int | None
    training: Mapping[str, Any] | None


@dataclass(frozen=True)
class Lineage:
    """Origin and use of the models of an experiment.

    Attributes:
        models: versions, newest first.
        retrainings: runs of the pipeline that trained its recipe, newest first: run_id, kind,
            state, created_at, dataset_digest, gain, verdict, candidate_version, promoted_at.
        champion: times as champion, newest first: version, since, until, moved_by, reason.

    """

    models: tuple[RunModel, ...]
    retrainings: pd.DataFrame
    champion: pd.DataFrame


@dataclass(frozen=True)
class Artifact:
    """File that training code logged.

    Attributes:
        path, media_type, bytes: path within the run, type and size.
        refused: reason why it is not stored, None if it is.

    """

    path: str
    media_type: str
    bytes: int
    refused: str | None
