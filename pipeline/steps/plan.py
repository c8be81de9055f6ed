"""Plans: the steps of a run by its kind, and the function of each step."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.steps.context import Run, StepContext

Step = Callable[[StepContext], dict[str, Any]]
RETRAIN = (
    "ingest",
    "validate",
    "prepare",
    "train",
    "evaluate",
    "compare",
    "register",
    "promote",
)
# A run of kind compare decides again about the candidate of its parent run.
FROM_PARENT = RETRAIN[: RETRAIN.index("evaluate")]
# Steps that depend on the training code and the versions of its libraries.
DEPENDENT_ON_CODE = RETRAIN[RETRAIN.index("train") :]
PLANS: Mapping[str, tuple[str, ...]] = {
    "retrain": RETRAIN,
    "compare": RETRAIN,
    "score": ("score",),
    "publish": ("publish",),
}


def steps_of(run: Run) -> tuple[str, ...]:
    """Return the names of a run's steps, in their order."""
    return PLANS[run.kind]


def skipped_steps(run: Run) -> tuple[str, ...]:
    """Return the steps whose outputs are those of the parent run."""
    return FROM_PARENT if run.kind == "compare" else ()


def load(name: str) -> Step:
    """Import a step and return its function.

    Steps import heavy libraries, so each one is imported in the process that executes it.
    """
    step: Step = importlib.import_module(f"pipeline.steps.{name}").run
    return step
