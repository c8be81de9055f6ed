"""Rows of a CSV file of experiments, made of past runs. Pure."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from db.csv.columns import ACCURACY, LEARNING_RATE, LOSS, MOMENTUM, NAME, TASK, names_metric
from db.csv.number_cell import NO_VALUE
from run_import.metric_names import RATE_METRICS, past_metric_key
from run_import.past_run import PastRun
from tracking.curves import build
from tracking.names import house_params, number, rates, snake_case, valid_name, with_suffix

LOSS_KEY: Final = "loss"
RESERVED: Final = frozenset({"experiment_name", "learning_rate", "momentum", LOSS_KEY, "task"})
RESULT: Final = "test_accuracy"  # the Leaderboard sorts by it, so it is a number in every row
MAX_PERCENT: Final = 100.0

Points = Sequence[tuple[int, int, float]]


@dataclass(frozen=True)
class Table:
    """Rows by title, sentences about values that were left out, and runs without any metric."""

    titles: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    notes: Sequence[str] = field(default=())
    left_out: Sequence[str] = field(default=())


def build_table(runs: Iterable[PastRun], task: str | None = None) -> Table:
    """Return the rows of runs that have a metric. Names are unique in the table.

    A file of experiments has no columns for tags and notes, so they become parameters: tag_KEY and
    note.
    """
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    without_metrics: list[str] = []
    names: set[str] = set()
    for run in sorted(runs, key=lambda run: (run.project, run.started_ms or 0, run.name)):
        metrics, left_out = _metrics(run)
        notes += [f"{run.name}: {note}" for note in (*run.notes, *left_out)]
        if not metrics:
            without_metrics.append(run.name)
            continue
        cells, left_out = _cells(run, metrics)
        notes += [f"{run.name}: {note}" for note in left_out]
        cells[NAME] = _unique_name(run, names)
        if task is not None:
            cells[TASK] = task
        rows.append(cells)
    first = [NAME, LEARNING_RATE, MOMENTUM, LOSS, *([TASK] if task else [])]
    others = sorted({title for row in rows for title in row} - set(first))
    return Table([*first, *others], rows, notes, without_metrics)


def _cells(run: PastRun, metrics: Mapping[str, Points]) -> tuple[dict[str, str], list[str]]:
    """Return the cells of a run by title, and sentences about what was left out."""
    params = dict(run.params)
    learning_rate, momentum = rates(params)
    if learning_rate is None:
        learning_rate = _first_rate(metrics)
    cells = {
        LEARNING_RATE: NO_VALUE if learning_rate is None else repr(learning_rate),
        MOMENTUM: NO_VALUE if momentum is None else repr(momentum),
        LOSS: NO_VALUE,
    }
    for key, points in metrics.items():
        title = LOSS if key == LOSS_KEY else key
        if key == RESULT or (len(points) == 1 and key != LOSS_KEY):
            cells[title] = _number(key, points[-1][2])
            if len(points) > 1:
                cells[f"{key}_curve"] = _curve(key, points)
        else:
            cells[title] = _curve(key, points)
    for key, value in house_params(params).items():
        title = f"param_{key}" if key in RESERVED or key in cells else key
        cells[title] = _text(value)
    notes = _add_tags(cells, run)
    cells.setdefault("source_run", run.run_id)
    if run.started_ms is not None:
        started = datetime.fromtimestamp(run.started_ms / 1000, UTC)
        cells["trained_at"] = started.isoformat(timespec="seconds")
        if run.ended_ms is not None:
            cells["seconds"] = str(round((run.ended_ms - run.started_ms) / 1000))
    return {title: cell for title, cell in cells.items() if cell}, notes


def _add_tags(cells: dict[str, str], run: PastRun) -> list[str]:
    """Add the tags and the note of a run as parameters. Return sentences about those left out."""
    notes = []
    for key, text in run.tags.items():
        title = f"tag_{snake_case(key)}"
        if title in cells:
            notes.append(f"tag {key} left out: the column {title} has another value.")
        elif names_metric(title) and number(text.strip()) is not None:
            notes.append(f"tag {key} left out: the number would be a metric in a column {title}.")
        else:
            cells[title] = _text(text)
    cells.setdefault("note", _text(run.note))
    return notes


def _metrics(run: PastRun) -> tuple[dict[str, Points], list[str]]:
    """Return the finite points of each metric by the names of the house."""
    names: dict[str, str] = {}
    # A metric that has the key as its own name counts before one that is translated.
    for name in sorted(run.metrics, key=lambda name: (past_metric_key(name) != name, name)):
        names.setdefault(past_metric_key(name), name)
    found: dict[str, Points] = {}
    notes = []
    for key, name in names.items():
        points = [point for point in run.metrics[name] if math.isfinite(point[2])]
        if len(points) < len(run.metrics[name]):
            count = len(run.metrics[name]) - len(points)
            notes.append(f"values of {name} that are not finite left out: {count}.")
        if points:
            found[key] = _in_order(points)
    return found, notes


def _in_order(points: Points) -> Points:
    """Return one point a step, in the order of steps, as curves of live runs have them."""
    curve = build(sorted(points))
    return [(step, 0, value) for step, value in zip(curve.steps, curve.values, strict=True)]


def _first_rate(metrics: Mapping[str, Points]) -> float | None:
    """Return the first value of a learning rate that is logged as a metric."""
    for key in RATE_METRICS:
        if key in metrics and metrics[key][0][2] >= 0:
            return metrics[key][0][2]
    return None


def _curve(key: str, points: Points) -> str:
    values = [value for *_, value in points]
    if _is_percent(key, values):
        values = [value / 100 for value in values]
    return json.dumps({"Step": [step for step, *_ in points], "Value": values})


def _number(key: str, value: float) -> str:
    return f"{value!r}%" if _is_percent(key, [value]) else repr(value)


def _is_percent(key: str, values: Iterable[float]) -> bool:
    """Return whether values of an accuracy are in percent: a fraction is at most 1."""
    return ACCURACY in key.split("_") and 1 < max(values) <= MAX_PERCENT


def _text(value: float | int | str) -> str:
    return value.replace("\0", "").strip() if isinstance(value, str) else repr(value)


def _unique_name(run: PastRun, names: set[str]) -> str:
    """Return PROJECT_RUN in the alphabet of names, with a number if it is taken."""
    text = f"{run.project}_{run.name}" if run.project else run.name
    base = valid_name(text) or "run"
    name, number = base, 1
    while name in names:
        number += 1
        name = with_suffix(base, number)
    names.add(name)
    return name
