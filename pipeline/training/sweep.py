"""Sweep: searches hyperparameters with cross-validation, in rounds of trials.

A trial trains once for each of five folds of the training part, and its value is their mean
accuracy. The validation and test parts are not looked at. Optuna proposes the trials of a round
from the trials of the rounds before. Rows of `trainings` hold everything, so a sweep that was
stopped goes on with the folds that have no result.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from inference.originals.open_store import open_store
from pipeline.steps.context import PermanentError, StepContext
from pipeline.training import artifact, trainings
from pipeline.training.child_process import ChildFailedError, Message, run_child
from pipeline.training.recipe import PARAMS, Recipe
from pipeline.training.trainings import Key, Result, Start
from servicekit.search_space import SearchSpace
from training.job import Job
from training.split_dataset import FOLDS

PROPOSE, MEASURE = "pipeline.training.children.propose", "pipeline.training.children.folds"
LOG_FILE = "sweep.txt"
SEED = 1  # of every trial: only the hyperparameters may make a difference
# Trials that are proposed together, and whose ten folds are trained in parallel. A fixed number:
# the proposals would otherwise depend on the number of machines.
ROUND_TRIALS = 2
DIVERGED_VALUE = 0.0  # accuracy of a fold that diverged


@dataclass(frozen=True)
class Trial:
    """Hyperparameters, and the result of each fold that has ended, by the fold's number."""

    number: int
    params: Mapping[str, Any]
    folds: Mapping[int, Result]

    @property
    def is_complete(self) -> bool:
        """Whether every fold has a result."""
        return len(self.folds) == FOLDS

    @property
    def has_diverged(self) -> bool:
        """Whether a fold diverged."""
        return any(result.outcome == trainings.DIVERGED for result in self.folds.values())

    @property
    def value(self) -> float:
        """Mean accuracy of the folds, 0..1."""
        return fmean(
            DIVERGED_VALUE if one.validation_accuracy is None else one.validation_accuracy
            for one in self.folds.values()
        )


def search(context: StepContext, recipe: Recipe, space: SearchSpace) -> dict[str, Any]:
    """Run the trials that are missing, and return the best hyperparameters.

    Of equal trials, the first one is the best. Raises PermanentError if every trial diverged or a
    training failed, and the errors of `train_seeds`.
    """
    stored = _store_data(context, recipe)
    while True:
        trials = read_trials(context, recipe)
        waiting = [trial for trial in trials if not trial.is_complete]
        if not waiting and len(trials) >= space.trials:
            return choose(trials)
        if not waiting:
            waiting = _propose(context, recipe, space, trials)
        _measure(context, recipe, waiting, stored)


def choose(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the hyperparameters of the best trial of which no fold diverged."""
    sound = [trial for trial in trials if not trial.has_diverged]
    if not sound:
        raise PermanentError(
            f"All {len(trials)} trials of the sweep diverged. Lower the bounds of learning_rate."
        )
    return dict(max(sound, key=lambda trial: (trial.value, -trial.number)).params)


def read_trials(context: StepContext, recipe: Recipe) -> list[Trial]:
    """Return the trials in the table, in order.

    A fold counts only if experiment, data, code and libraries are those of now.
    """
    found: dict[int, Trial] = {}
    for key, row in trainings.read(context).items():
        if key.trial is None or key.fold is None:
            continue
        trial = found.get(key.trial, Trial(key.trial, row["params"], {}))
        fingerprint = _job(context, recipe, trial, key.fold).fingerprint
        folds = dict(trial.folds)
        if row["outcome"] in trainings.ENDED and row["fingerprint"] == fingerprint:
            folds[key.fold] = Result(row["outcome"], row["validation_accuracy"])
        found[key.trial] = replace(trial, folds=folds)
    return [found[number] for number in sorted(found)]


def _propose(
    context: StepContext, recipe: Recipe, space: SearchSpace, trials: Sequence[Trial]
) -> list[Trial]:
    """Ask Optuna for the trials of the next round, and store them as RUNNING."""
    names = {*space.ranges, *space.choices}
    history = [
        {
            "params": {name: trial.params[name] for name in names},
            "value": trial.value,
        }
        for trial in trials
    ]
    request = {"space": space.document(), "history": history, "count": ROUND_TRIALS}
    result = _run(context, PROPOSE, request, {"trial": len(trials) + 1})
    proposed = [
        Trial(len(trials) + index, recipe.params | params, {})
        for index, params in enumerate(result["proposals"], start=1)
    ][: space.trials - len(trials)]
    starts = [
        Start(
            Key(SEED, trial.number, fold),
            trial.params,
            _job(context, recipe, trial, fold).fingerprint,
        )
        for trial in proposed
        for fold in range(1, FOLDS + 1)
    ]
    trainings.start(context, starts)
    return proposed


def _measure(
    context: StepContext,
    recipe: Recipe,
    trials: Sequence[Trial],
    stored: Mapping[str, str] | None,
) -> None:
    """Train the folds of these trials that have no result, and store each result as it comes."""
    jobs = {
        Key(SEED, trial.number, fold): _job(context, recipe, trial, fold)
        for trial in trials
        for fold in range(1, FOLDS + 1)
        if fold not in trial.folds
    }
    params = {trial.number: trial.params for trial in trials}
    trainings.start(
        context,
        [Start(key, params[key.trial or 0], job.fingerprint) for key, job in jobs.items()],
    )
    keys = list(jobs)
    request = {
        "scale_url": context.settings.scale_url,
        "stored": stored,
        "folds": [{"id": number, "job": jobs[key].document()} for number, key in enumerate(keys)],
    }
    progress = {"trial": trials[-1].number, "folds": len(keys), "done": 0}

    def take(message: Message) -> None:
        fold = message["fold"]
        progress["done"] += 1
        result = Result(
            fold["outcome"],
            fold["validation_accuracy"],
            seconds=fold["seconds"],
            curve=fold["curve"],
        )
        trainings.finish(context, keys[message["id"]], result)

    _run(context, MEASURE, request, progress, take)


def _run(
    context: StepContext,
    module: str,
    request: Mapping[str, Any],
    progress: Mapping[str, Any],
    take: Callable[[Message], None] | None = None,
) -> Message:
    """Run a program of the sweep. Raises PermanentError for an error that does not pass."""

    def report(message: Message | None) -> None:
        if message is not None and take is not None:
            take(message)
        context.progress(**progress)

    try:
        return run_child(module, json.dumps(request), context.work / LOG_FILE, report)
    except ChildFailedError as error:
        raise PermanentError(f"The sweep failed. {error}") from None


def _job(context: StepContext, recipe: Recipe, trial: Trial, fold: int) -> Job:
    folder = context.work / f"trial_{trial.number}" / f"fold_{fold}"
    params = {name: trial.params[name] for name in PARAMS}
    return recipe.job(folder, SEED, params, fold)


def _store_data(context: StepContext, recipe: Recipe) -> dict[str, str] | None:
    """Put the dataset into the storage for the machines of a cluster, if there is one."""
    if not context.settings.scale_url:
        return None
    content = recipe.data_file.read_bytes()
    store = open_store(context.settings.images_url)
    artifact.put(store, content, "npz")
    return {"store": store.url, "key": artifact.key_of(content, "npz")}
