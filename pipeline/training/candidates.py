"""Candidates: trains a run's experiment with one seed after the other, and stores the models.

A seed whose row and stored model have the fingerprint of this training is not trained again, also
if another machine trained it. A staged model of this machine is stored as it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore
from pipeline.database import Record
from pipeline.steps.context import PermanentError, StepContext
from pipeline.training import artifact, trainings
from pipeline.training.child_process import ChildFailedError, Message, run_child
from pipeline.training.recipe import Recipe
from pipeline.training.trainings import Key, Result, Start
from training.job import Job
from training.publish import MODEL, staged_row
from training.worker import LOG_FILE

PROGRAM = "pipeline.training.children.train"


@dataclass(frozen=True)
class Candidate:
    """A trained seed.

    `resumed_at_epoch` is the epoch at which the training went on after a stop, None without one.
    """

    seed: int
    fingerprint: str
    result: Result
    resumed_at_epoch: int | None = None

    def document(self) -> dict[str, Any]:
        """Return the candidate as the step's outputs have it."""
        result = vars(self.result)
        names = ("outcome", "validation_accuracy", "test_accuracy", "seconds", "model_digest")
        return {
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            **{name: result[name] for name in names},
            "artifact_url": self.result.artifact_url,
            "resumed_at_epoch": self.resumed_at_epoch,
        }


def train_seeds(
    context: StepContext, recipe: Recipe, seeds: Sequence[int], params: Mapping[str, Any]
) -> list[Candidate]:
    """Train every seed with these hyperparameters, and return the candidates in order.

    Raises PermanentError if a training fails, OSError and StorageUnavailableError for a failure
    that may pass, and the errors of `StepContext.progress`.
    """
    store = open_store(context.settings.images_url)
    rows = trainings.read(context)
    candidates = []
    for number, seed in enumerate(seeds, start=1):
        job = recipe.job(context.work / f"seed_{seed}", seed, params)
        result = _stored(rows.get(Key(seed)), job.fingerprint, store)
        candidate = (
            Candidate(seed, job.fingerprint, result)
            if result
            else _train(context, job, params, store, f"{number} of {len(seeds)}")
        )
        candidates.append(candidate)
    return candidates


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the best validation accuracy, of equal ones the lowest seed.

    Raises PermanentError if all diverged.
    """
    finished = [one for one in candidates if one.result.outcome == trainings.FINISHED]
    if not finished:
        seeds = ", ".join(str(one.seed) for one in candidates)
        raise PermanentError(
            f"Every training diverged (seeds {seeds}). Lower the learning rate of the experiment."
        )
    return max(finished, key=lambda one: (one.result.validation_accuracy or 0.0, -one.seed))


def _stored(row: Record | None, fingerprint: str, store: OriginalStore) -> Result | None:
    """Return the result in a row if the training has ended, and if its model is in the storage."""
    if row is None or row["fingerprint"] != fingerprint or row["outcome"] not in trainings.ENDED:
        return None
    if row["outcome"] == trainings.FINISHED and store.get(key_in(row["artifact_url"])) is None:
        return None
    names = ("validation_accuracy", "test_accuracy", "seconds", "artifact_url", "model_digest")
    return Result(row["outcome"], **{name: row[name] for name in names})


def _train(
    context: StepContext, job: Job, params: Mapping[str, Any], store: OriginalStore, position: str
) -> Candidate:
    """Train a seed unless its result is staged, store the model, and finish its row."""
    seed = job.experiment.seed
    key, resumed_at_epoch = Key(seed), None
    trainings.start(context, [Start(key, params, job.fingerprint)])
    if staged_row(job.folder, job.fingerprint) is None:
        try:
            message = _run(context, job, position)
        except ChildFailedError as error:
            trainings.finish(context, key, Result(trainings.FAILED))
            raise PermanentError(f"The training of seed {seed} failed. {error}") from None
        resumed_at_epoch = message["resumed_at_epoch"]
    result = _staged(job)
    if result.outcome == trainings.FINISHED:
        url = artifact.put(store, artifact.pack(job.folder / MODEL), "zip")
        result = replace(result, artifact_url=url)
    trainings.finish(context, key, result)
    return Candidate(seed, job.fingerprint, result, resumed_at_epoch)


def _run(context: StepContext, job: Job, position: str) -> Message:
    """Run the training in a child process and report its progress."""
    values: dict[str, Any] = {"seed": job.experiment.seed, "training": position}
    values |= {"epochs": job.experiment.epochs}

    def report(message: Message | None) -> None:
        values.update(message or {})
        context.progress(**values)

    report(None)
    return run_child(PROGRAM, json.dumps(job.document()), job.folder / LOG_FILE, report)


def _staged(job: Job) -> Result:
    """Return the result that a training has staged. Raises OSError if a file is missing."""
    row = staged_row(job.folder, job.fingerprint)
    if row is None:
        raise FileNotFoundError(f"{job.folder} has lost its result. Retry the run.")
    result = Result(row["Outcome"], seconds=float(row["Seconds"]), curve=json.loads(row["Loss"]))
    if result.outcome == trainings.DIVERGED:
        return result
    card = Card.read(job.folder / MODEL / CARD_FILE)
    return replace(
        result,
        validation_accuracy=card.metrics["validation_accuracy"],
        test_accuracy=card.metrics["test_accuracy"],
        model_digest=card.files[LITERT_FILE].sha256,
        keras_digest=card.files[KERAS_FILE].sha256,
    )
