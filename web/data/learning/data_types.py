"""Types of the learning loop's data: label requests, schedules and stored evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class LabelRequest:
    """Image to label.

    Attributes:
        id: of the request.
        task: its task.
        image_digest: digest of the 28x28 pixels.
        prediction_id: a prediction of the image, to label it.
        why: disagreement, random or novel.
        run_id: the run that asks, None for a request by hand.
        classes: labels of the task, in order.

    """

    id: int
    task: str
    image_digest: str
    prediction_id: str
    why: str
    run_id: int | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelQueue:
    """Open label requests of a task, and the progress.

    Attributes:
        requests: the next ones, most useful first.
        open, answered, skipped: numbers of requests.
        waiting: labels that no dataset has yet.

    """

    requests: tuple[LabelRequest, ...]
    open: int
    answered: int
    skipped: int
    waiting: int


@dataclass(frozen=True)
class Schedule:
    """Schedule of a task.

    Attributes:
        task: the task.
        cron: five fields: minute, hour, day, month, weekday.
        experiment_name: the experiment to train.
        params: seeds, dataset, sweep and keep of its runs.
        enabled: whether it starts runs.
        changed_by, changed_at: the last change.
        last_fired_at: the last start, None before the first one.

    """

    task: str
    cron: str
    experiment_name: str
    params: Mapping[str, Any]
    enabled: bool
    changed_by: str
    changed_at: datetime
    last_fired_at: datetime | None


@dataclass(frozen=True)
class StoredEvaluation:
    """Stored accuracy of a model on a set.

    Attributes:
        images, correct: numbers of images.
        by_class: label -> its images and correct ones.
        evaluated_by: program or person.
        at: time with time zone.

    """

    images: int
    correct: int
    by_class: Mapping[str, Mapping[str, int]]
    evaluated_by: str
    at: datetime
