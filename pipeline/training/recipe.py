"""Recipe: the experiment and the data that a run trains, read from its row and earlier steps."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.steps.context import PermanentError, StepContext
from training.experiment import EXPERIMENTS, Experiment, InvalidExperimentError, read
from training.job import Job
from training.provenance import Origin, Provenance, provenance

MAX_SEEDS = 100
CLOSE_NAMES, CLOSENESS = 5, 0.4  # how many names an error lists, and how alike they are
PARAMS = ("learning_rate", "momentum", "batch_size")


@dataclass(frozen=True)
class Recipe:
    """Everything that the trainings of a run have in common.

    `data_file` is the split dataset on this machine, and `origin` is what cards say about the run.
    """

    experiment: Experiment
    provenance: Provenance
    data_file: Path
    origin: Origin

    def job(
        self, folder: Path, seed: int, params: Mapping[str, Any], fold: int | None = None
    ) -> Job:
        """Return a training with these hyperparameters.

        Raises PermanentError if the experiment does not allow them.
        """
        try:
            # A candidate is compared, so its model is kept.
            experiment = replace(self.experiment, keep_model=True, seed=seed, **params)
        except ValueError as error:
            raise PermanentError(f"{self.experiment.name}: {error}. Change the sweep.") from None
        return Job(experiment, self.provenance, folder, self.data_file, fold, self.origin)

    @property
    def params(self) -> dict[str, Any]:
        """Return the hyperparameters of the experiment that a sweep may vary."""
        return {name: getattr(self.experiment, name) for name in PARAMS}


def read_recipe(context: StepContext, experiments: Path = EXPERIMENTS) -> Recipe:
    """Return the recipe of a run.

    Raises PermanentError if the experiment is unknown, invalid or one of another task.
    """
    run, prepared = context.run, context.outputs["prepare"]
    experiment = _read_experiment(run.experiment_name, experiments)
    if experiment.task.name != run.task:
        raise PermanentError(
            f"{run.experiment_name} trains the task {experiment.task.name}, not {run.task}."
            " Choose an experiment of the run's task."
        )
    inputs = provenance(prepared["sha256"], experiment.task, is_split_dataset=True)
    origin = Origin(context.outputs["ingest"]["digest"], run.id)
    return Recipe(experiment, inputs, context.work / prepared["file"], origin)


def read_seeds(context: StepContext) -> range:
    """Return the seeds to train, in order. Raises PermanentError for an invalid number."""
    count = context.run.params.get("seeds")
    if count is None:
        count = context.settings.retrain_seeds
    if type(count) is not int or not 1 <= count <= MAX_SEEDS:
        raise PermanentError(
            f"seeds is {count!r}. Start a run with an integer from 1 to {MAX_SEEDS}."
        )
    return range(1, count + 1)


def _read_experiment(name: str, experiments: Path) -> Experiment:
    names = [path.stem for path in experiments.glob("*.toml")]
    if name not in names:
        close = difflib.get_close_matches(name, names, CLOSE_NAMES, CLOSENESS)
        advice = f"Did you mean {', '.join(close)}?" if close else f"Add it to {experiments}."
        raise PermanentError(f"{name} is not an experiment that can be trained. {advice}")
    try:
        return read(experiments / f"{name}.toml")
    except InvalidExperimentError as error:
        raise PermanentError(f"{error}. Correct the file.") from None
