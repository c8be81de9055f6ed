"""Types of pipeline runs: runs, steps, trainings, comparisons and verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

STEPS = ("ingest", "validate", "prepare", "train", "evaluate", "compare", "register", "promote")
# Kinds of runs that have one step, of the same name.
SINGLE_STEP_KINDS = ("score", "publish")
PUBLISH = "publish"
OPEN_STATES = ("QUEUED", "RUNNING")
PROMOTE, REFUSE, UNDECIDED = "PROMOTE", "REFUSE", "UNDECIDED"


@dataclass(frozen=True)
class Trigger:
    """Request for a run. A run has several when later requests joined it.

    Attributes:
        kind: manual, schedule, labels, drift, upload or api.
        requested_by, reason: the author and the reason.
        at: time with time zone.

    """

    kind: str
    requested_by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Run:
    """One run of the pipeline.

    Attributes:
        id: its number.
        kind: retrain, compare, score or publish.
        task, experiment_name: the task, and the trained or published experiment.
        state: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        reason: why it failed or was canceled, else None.
        params: seeds, dataset, sweep.
        created_at, started_at, finished_at: times with time zone, None while they are ahead.
        heartbeat_at: last sign of life of its worker, None without one.
        cancel_requested_at: time of the request to cancel, None without one.
        parent_run_id: the run that it continues, None without one.
        worker: name of the worker, None without one.
        deaths: number of workers that died in it.
        dataset_digest, dataset_images: its dataset, None before ingest.
        triggers: oldest first.
        verdict: PROMOTE, REFUSE or UNDECIDED, None before compare.
        is_promoted: whether the alias champion was moved to its candidate.
        is_rolled_back: whether that move was undone.
        is_champion: whether that move is the last one of the alias.
        needs_promotion: whether its step promote failed, so that a retry moves the alias.
        gain, gain_lower: gain in accuracy over the champion on the deciding set, and its lower
            95 % bound, -1 to 1. None before compare.

    """

    id: int
    kind: str
    task: str
    experiment_name: str
    state: str
    reason: str | None
    params: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    cancel_requested_at: datetime | None
    parent_run_id: int | None
    worker: str | None
    deaths: int
    dataset_digest: str | None
    dataset_images: int | None
    triggers: tuple[Trigger, ...]
    verdict: str | None
    is_promoted: bool
    is_rolled_back: bool
    is_champion: bool
    needs_promotion: bool
    gain: float | None
    gain_lower: float | None

    @property
    def is_open(self) -> bool:
        """Whether it is queued or running."""
        return self.state in OPEN_STATES


@dataclass(frozen=True)
class RunList:
    """Newest runs, the number of all runs, and the last sign of life of a worker.

    Attributes:
        runs: newest first.
        total: number of all runs.
        worker_seen_seconds: age of the last heartbeat of any worker, None without a worker.

    """

    runs: tuple[Run, ...]
    total: int
    worker_seen_seconds: float | None

    @property
    def has_open_run(self) -> bool:
        """Whether a run is queued or running."""
        return any(run.is_open for run in self.runs)


@dataclass(frozen=True)
class Step:
    """Latest attempt of a step.

    Attributes:
        name: see STEPS.
        attempt: from 1.
        state: RUNNING, SUCCEEDED, FAILED or SKIPPED.
        started_at, finished_at: times with time zone.
        worker: name of the worker.
        outputs, progress: JSON of the step.
        error: why it failed, else None.
        typical_seconds: median time of the step in earlier runs, None without one.

    """

    name: str
    attempt: int
    state: str
    started_at: datetime
    finished_at: datetime | None
    worker: str | None
    outputs: Mapping[str, Any]
    progress: Mapping[str, Any]
    error: str | None
    typical_seconds: float | None


@dataclass(frozen=True)
class Training:
    """Training of one seed, or of one trial and fold of a sweep.

    Attributes:
        seed: the random seed.
        trial, fold: of a sweep, else None.
        params: hyperparameters.
        outcome: RUNNING, finished, diverged or failed.
        validation_accuracy, test_accuracy: 0 to 1, None before its end.
        seconds: training time, None before its end.
        curve: steps and losses.
        model_digest: digest of the LiteRT model, None without one.

    """

    seed: int
    trial: int | None
    fold: int | None
    params: Mapping[str, Any]
    outcome: str
    validation_accuracy: float | None
    test_accuracy: float | None
    seconds: float | None
    curve: tuple[tuple[float, float], ...]
    model_digest: str | None


@dataclass(frozen=True)
class DiscordantImage:
    """Image that exactly one of champion and candidate reads.

    Attributes:
        digest: digest of its 28x28 pixels.
        label: the true label.
        champion, candidate: the label that each predicts.

    """

    digest: str
    label: str
    champion: str
    candidate: str


@dataclass(frozen=True)
class Comparison:
    """Champion and candidate on the same images.

    Attributes:
        image_set: base-test, audit or corrections.
        images: number of images that both answered.
        both_right, only_champion, only_candidate, both_wrong: the four cells.
        unanswered: label requests without an answer. They count against the candidate.
        p_better: one-sided p-value of McNemar's exact test, 0 to 1.
        gain, gain_lower: gain in accuracy and its lower 95 % bound, -1 to 1.
        discordant: images that only one of both reads.
        decides: whether the verdict uses this set.

    """

    image_set: str
    images: int
    both_right: int
    only_champion: int
    only_candidate: int
    both_wrong: int
    unanswered: int
    p_better: float
    gain: float
    gain_lower: float
    discordant: tuple[DiscordantImage, ...]
    decides: bool

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """Numbers of images: both right, only the champion, only the candidate, both wrong."""
        return self.both_right, self.only_champion, self.only_candidate, self.both_wrong


@dataclass(frozen=True)
class Decision:
    """Verdict of the gate.

    Attributes:
        run_id: the run.
        verdict: PROMOTE, REFUSE or UNDECIDED.
        reasons: sentences.
        settings: limits of the gate at that time, such as alpha.
        champion, candidate: pinned names (NAME@2), None without a version.
        at: time with time zone.

    """

    run_id: int
    verdict: str
    reasons: tuple[str, ...]
    settings: Mapping[str, Any]
    champion: str | None
    candidate: str | None
    at: datetime


@dataclass(frozen=True)
class RunDetail:
    """A run with its steps, trainings, comparisons and verdict.

    Attributes:
        run: the run.
        steps: the latest attempt of each started step, in order.
        trainings: by trial, fold and seed.
        comparisons: the deciding ones first.
        decision: None before compare.
        label_requests, labels_answered: images that the run asks to label, and those answered.

    """

    run: Run
    steps: tuple[Step, ...]
    trainings: tuple[Training, ...]
    comparisons: tuple[Comparison, ...]
    decision: Decision | None
    label_requests: int
    labels_answered: int

    def step(self, name: str) -> Step | None:
        """Return a step, None if it has not started."""
        return next((step for step in self.steps if step.name == name), None)


@dataclass(frozen=True)
class Evidence:
    """Last comparison of a version with a champion, for a promotion by hand.

    Attributes:
        comparisons: of one run, the deciding ones first.
        decision: verdict of that run.

    """

    comparisons: tuple[Comparison, ...]
    decision: Decision
