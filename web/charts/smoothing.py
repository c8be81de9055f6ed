"""Smoothing and relative steps of curves.

Curves are in long form: experiment, step, value, ordered by experiment and step.
"""

import numpy as np
import pandas as pd

# A weight of 1 would keep the first value forever.
MAX_SMOOTHING = 0.99
WHOLE = 100.0


def smooth(curves: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Return the curves with a debiased exponential moving average instead of each value.

    s_t = weight * s_(t-1) + (1 - weight) * x_t with s_0 = 0, divided by 1 - weight ** t. The
    division keeps the first value as it is instead of drawing it towards 0 (Kingma and Ba, Adam,
    2014, section 3). Values that are not finite are skipped.

    Args:
        curves: values in the order of their steps. Each step counts once, whatever its distance.
        weight: 0 (no change) to 0.99.

    Raises:
        ValueError: the weight is not from 0 to 0.99.

    """
    if not 0 <= weight <= MAX_SMOOTHING:
        raise ValueError(f"weight must be from 0 to {MAX_SMOOTHING}, not {weight}")
    if weight == 0 or curves.empty:
        return curves
    # With adjust=True pandas divides by the sum of the weights so far, which is the debiasing.
    values = curves["value"].where(np.isfinite(curves["value"]))
    averages = (
        values.groupby(curves["experiment"], sort=False)
        .ewm(alpha=1 - weight, adjust=True, ignore_na=True)
        .mean()
    )
    return curves.assign(
        value=averages.droplevel(0).reindex(curves.index).where(values.notna(), curves["value"])
    )


def to_relative_steps(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves with steps in percent of the last step, to compare runs of any length."""
    last = curves.groupby("experiment")["step"].transform("max")
    return curves.assign(
        step=(curves["step"] / last.where(last > 0) * WHOLE).fillna(WHOLE).round(3)
    )
