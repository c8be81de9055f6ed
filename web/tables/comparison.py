"""Tables of the Compare page: results against a baseline, and differing parameters."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from web.data.leaderboard.columns import is_noise
from web.tables.run_names import run_links, shorten_names

WHOLE = 100.0
# Parameters that have columns of their own in a run. They come first.
LEADING = ("learning_rate", "momentum")
MISSING = "\N{EN DASH}"


def best_and_last(curves: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the best and the last value of each experiment, in the given order.

    The best value is the lowest finite one, as for losses; the first of equal ones.

    Args:
        curves: experiment, step, value of one metric, ordered by experiment and step.
        names: the experiments.

    Returns:
        best, best_step, last, last_step by experiment. NaN without a curve.

    """
    rows: list[tuple[Any, ...]] = []
    curve_of = dict(tuple(curves.groupby("experiment")))
    for name in names:
        curve = curve_of.get(name)
        if curve is None:
            rows.append((math.nan, pd.NA, math.nan, pd.NA))
            continue
        last = curve.iloc[-1]
        finite = curve[np.isfinite(curve["value"])]
        best = finite.loc[finite["value"].idxmin()] if len(finite) else None
        rows.append(
            (
                math.nan if best is None else float(best["value"]),
                pd.NA if best is None else int(best["step"]),
                float(last["value"]),
                int(last["step"]),
            )
        )
    table = pd.DataFrame(rows, columns=["best", "best_step", "last", "last_step"])
    return (
        table.astype({"best_step": "Int64", "last_step": "Int64"})
        .assign(experiment=list(names))
        .set_index("experiment")
    )


def result_table(runs: pd.DataFrame, curves: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return the results of each run and their changes against the baseline.

    Args:
        runs: experiment, task and test_accuracy (0 to 1), see queries.read_runs.
        curves: curves of one metric.
        baseline: name of the baseline experiment.

    Returns:
        One row per run: experiment, run (its link), test_accuracy (percent), accuracy_change
        (percentage points), best, best_change, best_step, last, last_change. Changes are NaN for
        the baseline and for runs of another task, which are not comparable.

    """
    names = list(runs["experiment"])
    table = best_and_last(curves, names).reset_index()
    table.insert(1, "test_accuracy", runs["test_accuracy"].to_numpy(dtype="float64") * WHOLE)
    task_of = dict(zip(names, runs["task"], strict=True))
    is_comparable = np.array(
        [name != baseline and task_of[name] == task_of.get(baseline) for name in names]
    )
    base = table[table["experiment"] == baseline]
    for column, change in (
        ("test_accuracy", "accuracy_change"),
        ("best", "best_change"),
        ("last", "last_change"),
    ):
        reference = float(base[column].iloc[0]) if len(base) else math.nan
        table[change] = (table[column] - reference).where(is_comparable)
    table["run"] = run_links(names, shorten_names(names))
    columns = [
        "experiment",
        "run",
        "test_accuracy",
        "accuracy_change",
        "best",
        "best_change",
        "best_step",
        "last",
        "last_change",
    ]
    return table[columns]


def collect_parameters(runs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return experiment -> parameter -> value: learning_rate, momentum, then params by name."""
    return {
        str(run["experiment"]): {
            **{column: None if pd.isna(run[column]) else float(run[column]) for column in LEADING},
            **dict(sorted((run["params"] or {}).items())),
        }
        for run in runs.to_dict("records")
    }


def parameter_table(
    parameters: Mapping[str, Mapping[str, Any]], baseline: str, *, only_differences: bool
) -> pd.DataFrame:
    """Return one row per parameter and one column of texts per experiment.

    Args:
        parameters: see collect_parameters.
        baseline: name of the baseline. Its column comes first; numbers in the others include
            their distance from it.
        only_differences: whether to leave out parameters that are equal in all experiments. A
            missing parameter is a difference.

    """
    names = [
        *(name for name in parameters if name == baseline),
        *(name for name in parameters if name != baseline),
    ]
    keys = list(dict.fromkeys(key for name in names for key in parameters[name]))
    keys = [
        *(key for key in LEADING if key in keys),
        *sorted(key for key in keys if key not in LEADING),
    ]
    if only_differences:
        keys = [
            key
            for key in keys
            if len({_canonical(parameters[name].get(key)) for name in names}) > 1
        ]
    reference = parameters.get(baseline, {})
    columns = {
        name: [
            _cell(parameters[name].get(key), None if name == baseline else reference.get(key))
            for key in keys
        ]
        for name in names
    }
    # Parameters are the index, not a column, because an experiment may have any name.
    return pd.DataFrame(columns, index=pd.Index(keys, dtype="object"), dtype="object")


def split_noise(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of settings, and those of seeds, times and machines. Index: parameters."""
    noise = np.array([is_noise(str(key)) for key in table.index], dtype=bool)
    return table[~noise], table[noise]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _canonical(value: object) -> str:
    """Return the same text for equal values, such as 1 and 1.0."""
    if _is_number(value):
        return repr(float(value))  # type: ignore[arg-type]
    return json.dumps(value, sort_keys=True)


def _cell(value: Any, reference: Any) -> str:
    if value is None:
        return MISSING
    if not _is_number(value):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not _is_number(reference) or float(value) == float(reference):
        return format_number(value)
    sign = "+" if value > reference else "\N{MINUS SIGN}"
    return f"{format_number(value)} ({sign}{format_number(abs(value - reference))})"


def format_number(value: float) -> str:
    """Format a number: integers in full, others with at most six significant digits.

    Examples: 0.1, 61,706, 1e-05.
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
