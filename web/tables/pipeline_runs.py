"""Tables and descriptions of pipeline runs: rows, step boxes, progress, verdict and advice."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from web.charts.step_graph import StepBox
from web.data.learning.types import (
    PROMOTE,
    STEPS,
    UNDECIDED,
    Comparison,
    Decision,
    Run,
    RunDetail,
    Step,
    Training,
)
from web.formatting import format_age, format_duration, format_points, pluralize

STATES = {
    "QUEUED": "Queued",
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "CANCELLED": "Canceled",
}
VERDICTS = {"PROMOTE": "Promote", "REFUSE": "Refuse", "UNDECIDED": "Undecided"}
TRIGGERS = {
    "manual": "by hand",
    "schedule": "schedule",
    "labels": "new labels",
    "drift": "drift",
    "upload": "upload",
    "api": "API",
}
IMAGE_SETS = {"base-test": "MNIST test", "audit": "Audit labels", "corrections": "Corrections"}
DIGEST_CHARACTERS = 8
OUTCOMES = {"RUNNING": "RUNNING", "finished": "SUCCEEDED"}
EMPTY = "\N{EN DASH}"


def run_table(runs: Sequence[Run], now: datetime) -> pd.DataFrame:
    """Return one row per run, in their order.

    Columns: run, state and verdict (lists for chips), experiment, trigger, by, dataset, gain,
    started, took.
    """
    return pd.DataFrame(
        {
            "run": [run.id for run in runs],
            "state": [[STATES.get(run.state, run.state)] for run in runs],
            "verdict": [describe_verdict(run) for run in runs],
            "gain": [format_gain(run.gain, run.gain_lower) for run in runs],
            "experiment": [run.experiment_name for run in runs],
            "trigger": [describe_trigger(run) for run in runs],
            "by": [run.triggers[0].requested_by if run.triggers else None for run in runs],
            "dataset": [describe_dataset(run) for run in runs],
            "started": [format_age(_seconds(run.created_at, now)) for run in runs],
            "took": [describe_duration(run, now) for run in runs],
        }
    )


def describe_verdict(run: Run) -> list[str]:
    """Return the verdict as the texts of its chips, none before it."""
    if run.verdict is None:
        return []
    if run.is_rolled_back:
        return ["Rolled back"]
    return ["Promoted" if run.is_promoted else VERDICTS[run.verdict]]


def describe_trigger(run: Run) -> str:
    """Describe how a run was started: new labels + 2 more."""
    if not run.triggers:
        return EMPTY
    first = TRIGGERS.get(run.triggers[0].kind, run.triggers[0].kind)
    return first if len(run.triggers) == 1 else f"{first} + {len(run.triggers) - 1} more"


def describe_dataset(run: Run) -> str | None:
    """Return the short digest of the dataset of a run and its size, None before ingest."""
    if run.dataset_digest is None:
        return None
    digest = run.dataset_digest[:DIGEST_CHARACTERS]
    return f"{digest} \N{MIDDLE DOT} {run.dataset_images:,}" if run.dataset_images else digest


def describe_duration(run: Run, now: datetime) -> str | None:
    """Return the time that a run took, or takes until now. None for a queued run."""
    if run.started_at is None:
        return None
    return format_duration(_seconds(run.started_at, run.finished_at or now))


def format_gain(gain: float | None, lower: float | None) -> str | None:
    """Format a gain in points with its lower bound: +0.16 (at least +0.02). None without one."""
    if gain is None:
        return None
    bound = "" if lower is None else f" (at least {format_points(lower)})"
    return f"{format_points(gain)}{bound}"


def step_boxes(detail: RunDetail, now: datetime) -> list[StepBox]:
    """Return the boxes of the step graph: every step of the plan, also those ahead."""
    names = STEPS if detail.run.kind != "score" else ("score",)
    return [_step_box(name, detail, now) for name in names]


def _step_box(name: str, detail: RunDetail, now: datetime) -> StepBox:
    step = detail.step(name)
    if step is None:
        return StepBox(name, "WAITING", "" if detail.run.is_open else "not run")
    seconds = _seconds(step.started_at, step.finished_at or now)
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
    """Return the progress of a step from 0 to 1, None if it reports none."""
    share = progress.get("share")
    if isinstance(share, int | float):
        return min(1.0, max(0.0, float(share)))
    for done, total in (("done", "total"), ("epoch", "epochs"), ("images", "of")):
        one, all_of_them = progress.get(done), progress.get(total)
        if isinstance(one, int | float) and isinstance(all_of_them, int | float) and all_of_them:
            return min(1.0, max(0.0, one / all_of_them))
    return None


def describe_progress(progress: Mapping[str, Any]) -> str:
    """Describe the progress of a step: seed 2 of 3, epoch 5 of 12."""
    shown = dict(progress)
    parts = []
    for one, total, noun in (
        ("seed", "seeds", "seed"),
        ("trial", "trials", "trial"),
        ("epoch", "epochs", "epoch"),
        ("done", "total", ""),
    ):
        if one in shown:
            whole = f" of {_value(shown.pop(total))}" if shown.get(total) is not None else ""
            parts.append(f"{noun} {_value(shown.pop(one))}{whole}".strip())
    shown.pop("share", None)
    parts += [
        f"{name.replace('_', ' ')} {_value(value)}"
        for name, value in shown.items()
        if isinstance(value, int | float | str)
    ]
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def verdict_sentence(detail: RunDetail) -> str:
    """Return the sentence of the verdict: the counts, p, and the limit of the gate."""
    compare = detail.step("compare")
    stored = None if compare is None else compare.outputs.get("sentence")
    if stored:
        return str(stored)
    if detail.decision is None or not detail.comparisons:
        return ""
    return describe_comparison(detail.comparisons[0], detail.decision)


def describe_comparison(comparison: Comparison, decision: Decision) -> str:
    """Describe a comparison: images that only one reads, the p-value and the limit of the gate."""
    limit = decision.settings.get("alpha")
    asked = f"; the gate asks for less than {limit:g}" if isinstance(limit, int | float) else ""
    p_value = f": p = {comparison.p_better:.2g}{asked}"
    only = pluralize(comparison.only_candidate, "image")
    return (
        f"Only the candidate reads {only}, only the champion {comparison.only_champion:,}{p_value}."
    )


def name_image_set(name: str) -> str:
    """Return the name of an image set on the page."""
    return IMAGE_SETS.get(name, name)


def cells_table(comparison: Comparison) -> str:
    """Return the four cells as a markdown table."""
    both, champion = f"{comparison.both_right:,}", f"**{comparison.only_champion:,}**"
    candidate, neither = f"**{comparison.only_candidate:,}**", f"{comparison.both_wrong:,}"
    return (
        "| | Champion correct | Champion wrong |\n|---|---:|---:|\n"
        f"| **Candidate correct** | {both} | {candidate} |\n"
        f"| **Candidate wrong** | {champion} | {neither} |"
    )


def step_table(steps: Sequence[Step], now: datetime) -> pd.DataFrame:
    """Return one row per step: step, state, took, typical, attempt, worker, error."""
    return pd.DataFrame(
        {
            "step": [step.name for step in steps],
            "state": [step.state.capitalize() for step in steps],
            "took": [
                format_duration(_seconds(step.started_at, step.finished_at or now))
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


def name_training(training: Training) -> str:
    """Return the name of a training: seed 1, or trial 3 fold 2."""
    if training.trial is None:
        return f"seed {training.seed}"
    fold = "" if training.fold is None else f" fold {training.fold}"
    return f"trial {training.trial}{fold}"


def loss_frame(trainings: Sequence[Training]) -> pd.DataFrame:
    """Return the losses in long form for charts.loss_curves: experiment, step, value."""
    return pd.DataFrame(
        [(name_training(one), step, value) for one in trainings for step, value in one.curve],
        columns=["experiment", "step", "value"],
    )


def advise(detail: RunDetail) -> str:
    """Return what to do after a run that ended without a promotion. Empty if nothing."""
    run = detail.run
    if run.is_open or run.is_promoted:
        return ""
    if run.state == "FAILED":
        failed = next((step for step in detail.steps if step.state == "FAILED"), None)
        where = f" It continues at the step {failed.name}." if failed is not None else ""
        return f"Remove the cause, then press Retry.{where}"
    if run.state == "CANCELLED":
        return "Press Retry to continue it, or Retrain to start a new run."
    if run.needs_promotion:
        return "The alias was not moved. Press Retry to try again."
    return _advise_on_verdict(detail)


def _advise_on_verdict(detail: RunDetail) -> str:
    if detail.run.verdict == PROMOTE:
        return "Look at the evidence, then press Promote."
    if detail.run.verdict != UNDECIDED:
        return ""
    left = detail.label_requests - detail.labels_answered
    if left > 0:
        return (
            f"Label the {pluralize(left, 'image')} on the tab Label. Then the comparison runs"
            " again by itself, without training."
        )
    return "More labels or more data may decide."


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())
