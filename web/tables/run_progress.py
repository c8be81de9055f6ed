"""Progress of a pipeline run: boxes of the step graph, states of seeds, and the table of steps."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from web.charts.step_graph import StepBox
from web.data.learning.types import SINGLE_STEP_KINDS, STEPS, RunDetail, Step
from web.formatting import format_duration
from web.tables.pipeline_runs import seconds_between

OUTCOMES = {"RUNNING": "RUNNING", "finished": "SUCCEEDED"}
# What a step reports of its progress: done, total. The finest one comes first.
SHARES = (("step", "steps"), ("epoch", "epochs"), ("done", "folds"), ("done", "total"))
TOTALS = frozenset(total for _, total in SHARES)
# What comes first in its description: done, total, words
PROGRESS_WORDS = (
    ("training", None, "training {}"),
    ("seed", None, "seed {}"),
    ("trial", None, "trial {}"),
    ("epoch", "epochs", "epoch {}"),
    ("step", "steps", "step {}"),
    ("done", "folds", "fold {}"),
    ("done", "total", "{}"),
)


def step_boxes(detail: RunDetail, now: datetime) -> list[StepBox]:
    """Return the boxes of the step graph: every step of the plan, also those ahead."""
    kind = detail.run.kind
    names = (kind,) if kind in SINGLE_STEP_KINDS else STEPS
    return [_step_box(name, detail, now) for name in names]


def _step_box(name: str, detail: RunDetail, now: datetime) -> StepBox:
    step = detail.step(name)
    if step is None:
        return StepBox(name, "WAITING", "" if detail.run.is_open else "not run")
    seconds = seconds_between(step.started_at, step.finished_at or now)
    if step.state == "RUNNING" and not detail.run.is_open:
        return StepBox(name, "CANCELLED", "stopped")
    if step.state == "RUNNING":
        share = progress_share(step.progress)
        note = format_duration(seconds) if share is None else f"{share * 100:.0f} %"
        return StepBox(name, "RUNNING", note)
    if step.state == "SKIPPED":
        return StepBox(name, "SKIPPED", "skipped")
    note = format_duration(seconds)
    return StepBox(name, step.state, note if step.attempt == 1 else f"{note}, try {step.attempt}")


def seed_states(detail: RunDetail) -> list[str]:
    """Return the state of each training, then WAITING for each seed that has not started."""
    states = [OUTCOMES.get(one.outcome, "FAILED") for one in detail.trainings]
    seeds = detail.run.params.get("seeds")
    ahead = seeds - len(states) if isinstance(seeds, int) and detail.run.is_open else 0
    return states + ["WAITING"] * max(0, ahead)


def progress_share(progress: Mapping[str, Any]) -> float | None:
    """Return the progress of a step from 0 to 1, None if it reports none.

    Of several trainings, {"training": "2 of 3"} is the position of this one.
    """
    share = next(
        (
            progress[done] / progress[total]
            for done, total in SHARES
            if isinstance(progress.get(done), int | float)
            and isinstance(progress.get(total), int | float)
            and progress[total] > 0
        ),
        None,
    )
    position = re.fullmatch(r"(\d+) of (\d+)", str(progress.get("training")))
    if position is not None and int(position[2]):
        share = (int(position[1]) - 1 + (share or 0.0)) / int(position[2])
    return None if share is None else min(1.0, max(0.0, share))


def describe_progress(progress: Mapping[str, Any]) -> str:
    """Describe the progress of a step: training 2 of 3, seed 7, epoch 5 of 12, loss 0.0731."""
    shown = {
        name: value for name, value in progress.items() if isinstance(value, int | float | str)
    }
    parts = []
    for one, total, noun in PROGRESS_WORDS:
        if one in shown and (total is None or total in shown):
            whole = "" if total is None else f" of {_value(shown.pop(total))}"
            parts.append(noun.format(f"{_value(shown.pop(one))}{whole}"))
    parts += [
        f"{name.replace('_', ' ')} {_value(value)}"
        for name, value in shown.items()
        if name not in TOTALS
    ]
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def step_table(steps: Sequence[Step], now: datetime) -> pd.DataFrame:
    """Return one row per step: step, state, took, typical, attempt, worker, error."""
    return pd.DataFrame(
        {
            "step": [step.name for step in steps],
            "state": [step.state.capitalize() for step in steps],
            "took": [
                format_duration(seconds_between(step.started_at, step.finished_at or now))
                for step in steps
            ],
            "typical": [
                None if step.typical_seconds is None else format_duration(step.typical_seconds)
                for step in steps
            ],
            "attempt": [step.attempt for step in steps],
            "worker": [step.worker for step in steps],
            "error": [step.error for step in steps],
        }
    )
