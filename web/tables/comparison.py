"""What the page Compare computes: smoothed curves, best and last values, what differs between runs.

Pure.

Curves are in long form throughout: experiment, step, value; by experiment, then step.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# A weight of 1 would keep the first value for ever.
MOST_SMOOTHING = 0.99
WHOLE = 100.0
# What stands in a run's row rather than in its params, and comes first.
LEADING = ("learning_rate", "momentum")
MISSING = "\N{EN DASH}"


def smooth(curves: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Return the curves with each value replaced by the debiased exponential moving average up to
    it.

    s_t = weight * s_(t-1) + (1 - weight) * x_t with s_0 = 0, divided by 1 - weight ** t, so that
    the first value stays as it is instead of being drawn towards 0 (Kingma and Ba, Adam, 2014,
    section 3). Values that are not finite are passed by.

    Args:
        curves: the values of each experiment in the order of their steps; steps may be spaced
        unevenly, each counts once.
        weight: 0 (nothing is changed) to 0.99.

    Raises:
        ValueError: a weight outside 0 to 0.99.

    """
    if not 0 <= weight <= MOST_SMOOTHING:
        raise ValueError(f"weight must be from 0 to {MOST_SMOOTHING}, not {weight}")
    if weight == 0 or curves.empty:
        return curves
    # pandas' "adjusted" average divides by the sum of the weights so far, which is the same as
    # debiasing.
    values = curves["value"].where(np.isfinite(curves["value"]))
    averages = (
        values.groupby(curves["experiment"], sort=False)
        .ewm(alpha=1 - weight, adjust=True, ignore_na=True)
        .mean()
    )
    return curves.assign(
        value=averages.droplevel(0).reindex(curves.index).where(values.notna(), curves["value"])
    )


def relative(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves with steps as percent of the way from 0 to their own last step, so that
    long and short runs compare.
    """
    last = curves.groupby("experiment")["step"].transform("max")
    return curves.assign(
        step=(curves["step"] / last.where(last > 0) * WHOLE).fillna(WHOLE).round(3)
    )


def best_and_last(curves: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return best, best_step, last and last_step of each named experiment, in their order.

    NaN for one without a curve.

    The best is the lowest value, as losses go, and of equal ones the first; what is not finite is
    never the best.
    """
    rows: list[tuple[Any, ...]] = []
    by_name = dict(tuple(curves.groupby("experiment")))
    for name in names:
        curve = by_name.get(name)
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
    """Return what each run reached, and how far from the baseline: a row per run in their order.

    Args:
        runs: experiment, task, test_accuracy (0..1) and whatever else, see queries.read_runs.
        curves: of one metric.
        baseline: the experiment that the others are measured against.

    Returns:
        experiment, test_accuracy (percent), accuracy_change (percentage points), best, best_change,
        best_step, last,
        last_change. Changes are NaN for the baseline itself and for runs of another task, as their
        numbers do not compare.

    """
    names = list(runs["experiment"])
    table = best_and_last(curves, names).reset_index()
    table.insert(1, "test_accuracy", runs["test_accuracy"].to_numpy(dtype="float64") * WHOLE)
    task_of = dict(zip(names, runs["task"], strict=True))
    compares = np.array(
        [name != baseline and task_of[name] == task_of.get(baseline) for name in names]
    )
    base = table[table["experiment"] == baseline]
    for column, change in (
        ("test_accuracy", "accuracy_change"),
        ("best", "best_change"),
        ("last", "last_change"),
    ):
        reference = float(base[column].iloc[0]) if len(base) else math.nan
        table[change] = (table[column] - reference).where(compares)
    shown = [
        "experiment",
        "test_accuracy",
        "accuracy_change",
        "best",
        "best_change",
        "best_step",
        "last",
        "last_change",
    ]
    return table[shown]


def parameters(runs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return experiment -> parameter -> value: learning_rate, momentum, then its params by name."""
    return {
        str(run["experiment"]): {
            **{column: None if pd.isna(run[column]) else float(run[column]) for column in LEADING},
            **dict(sorted((run["params"] or {}).items())),
        }
        for run in runs.to_dict("records")
    }


def parameter_table(
    settings: Mapping[str, Mapping[str, Any]], baseline: str, *, only_differences: bool
) -> pd.DataFrame:
    """Return a row per parameter, named by the index, and a column of texts per experiment, of
    numbers with their distance.

    Args:
        settings: as parameters() returns them.
        baseline: its column comes first and has no distances.
        only_differences: leave out what all experiments have the same of. One that has none of a
        parameter differs.

    """
    names = [
        *(name for name in settings if name == baseline),
        *(name for name in settings if name != baseline),
    ]
    keys = list(dict.fromkeys(key for name in names for key in settings[name]))
    keys = [
        *(key for key in LEADING if key in keys),
        *sorted(key for key in keys if key not in LEADING),
    ]
    if only_differences:
        keys = [
            key for key in keys if len({_canonical(settings[name].get(key)) for name in names}) > 1
        ]
    reference = settings.get(baseline, {})
    columns = {
        name: [
            _cell(settings[name].get(key), None if name == baseline else reference.get(key))
            for key in keys
        ]
        for name in names
    }
    # The parameters are the index, as the columns are named by the experiments, of which one may be
    # called anything.
    return pd.DataFrame(columns, index=pd.Index(keys, dtype="object"), dtype="object")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _canonical(value: object) -> str:
    """Equal for what is equal: 1 and 1.0 are."""
    return repr(float(value)) if _is_number(value) else json.dumps(value, sort_keys=True)  # type: ignore[arg-type]


def _cell(value: Any, reference: Any) -> str:
    if value is None:
        return MISSING
    if not _is_number(value):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not _is_number(reference) or float(value) == float(reference):
        return number(value)
    sign = "+" if value > reference else "\N{MINUS SIGN}"
    return f"{number(value)} ({sign}{number(abs(value - reference))})"


def number(value: float) -> str:
    """Write a number with at most six significant digits, integers in full: 0.1, 61,706, 1e-05."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
