"""Tables and descriptions of pipeline runs: rows, verdict, cells, losses and advice."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from web.data.learning.types import (
    PROMOTE,
    PUBLISH,
    UNDECIDED,
    Comparison,
    Decision,
    Run,
    RunDetail,
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
            "started": [format_age(seconds_between(run.created_at, now)) for run in runs],
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
    return format_duration(seconds_between(run.started_at, run.finished_at or now))


def format_gain(gain: float | None, lower: float | None) -> str | None:
    """Format a gain in points with its lower bound: +0.16 (at least +0.02). None without one."""
    if gain is None:
        return None
    bound = "" if lower is None else f" (at least {format_points(lower)})"
    return f"{format_points(gain)}{bound}"


def verdict_sentence(detail: RunDetail) -> str:
    """Return the sentence of the verdict, else one of the counts and p. Empty without a verdict."""
    if detail.decision is None:
        return ""
    compare = detail.step("compare")
    stored = None if compare is None else compare.outputs.get("sentence")
    if stored:
        return str(stored)
    if not detail.comparisons:
        return ""
    return describe_comparison(detail.comparisons[0], detail.decision)


def further_reasons(sentence: str, reasons: Sequence[str]) -> list[str]:
    """Return the reasons that the sentence of the verdict does not repeat."""
    return [reason for reason in reasons if reason.rstrip(".") not in sentence]


def describe_comparison(comparison: Comparison, decision: Decision) -> str:
    """Describe a comparison: images that only one reads, the p-value and the limit of the gate."""
    limit = decision.settings.get("alpha")
    asked = f"; the gate asks for less than {limit:g}" if isinstance(limit, int | float) else ""
    p_value = f": {format_p(comparison.p_better)}{asked}"
    only = pluralize(comparison.only_candidate, "image")
    return (
        f"Only the candidate reads {only}, only the {name_opponent(decision)}"
        f" {comparison.only_champion:,}{p_value}."
    )


def name_opponent(decision: Decision) -> str:
    """Return the name of what the candidate was compared with.

    A task without a champion has a constant answer in its place, the most frequent label.
    """
    return "constant answer" if decision.champion is None else "champion"


def format_p(p_value: float) -> str:
    """Format a p-value: p = 0.018. Zero is a number below the smallest one."""
    return f"p = {p_value:.2g}" if p_value > 0 else "p < 1e-300"


def name_image_set(name: str) -> str:
    """Return the name of an image set on the page."""
    return IMAGE_SETS.get(name, name)


def cells_table(comparison: Comparison, decision: Decision) -> str:
    """Return the four cells as a markdown table."""
    return four_cells(comparison.cells, name_opponent(decision).capitalize())


def four_cells(cells: tuple[int, int, int, int], opponent: str) -> str:
    """Return a markdown table of images: both correct, only the opponent, only the candidate, none.

    Args:
        cells: the four numbers in this order.
        opponent: title of the opponent, such as Champion.

    """
    both, champion, candidate, neither = cells
    return (
        f"| | {opponent} correct | {opponent} wrong |\n|---|---:|---:|\n"
        f"| **Candidate correct** | {both:,} | **{candidate:,}** |\n"
        f"| **Candidate wrong** | **{champion:,}** | {neither:,} |"
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
    if run.kind == PUBLISH:
        return _advise_on_publication(run)
    if run.state == "FAILED":
        failed = next((step for step in detail.steps if step.state == "FAILED"), None)
        where = f" It continues at the step {failed.name}." if failed is not None else ""
        return f"Remove the cause, then press Retry.{where}"
    if run.state == "CANCELLED":
        return "Press Retry to continue it, or Retrain to start a new run."
    if run.needs_promotion:
        return "The alias was not moved. Press Retry to try again."
    return _advise_on_verdict(detail)


def _advise_on_publication(run: Run) -> str:
    if run.state not in ("FAILED", "CANCELLED"):
        return ""
    return "Publish a corrected file or card on the page Models, or press Retry to try this again."


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


def seconds_between(start: datetime, end: datetime) -> float:
    """Return the seconds between two times, 0 if the clocks differ."""
    return max(0.0, (end - start).total_seconds())
