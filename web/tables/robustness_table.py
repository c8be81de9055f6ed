"""Robustness as a table, and its weakest point."""

import pandas as pd

from web.data.diagnostics.robustness import CorruptedAccuracy, Robustness


def robustness_table(own: Robustness, champion: Robustness | None) -> pd.DataFrame:
    """Return one row per corruption and severity.

    Columns: corruption, amount (text), accuracy, champion and difference (percent and points; the
    latter two only with a champion).
    """
    rows = pd.DataFrame(
        {
            "corruption": [one.corruption for one in own.scores],
            "amount": [describe_amount(one) for one in own.scores],
            "accuracy": [100 * one.accuracy for one in own.scores],
        }
    )
    if champion is not None:
        by_key = {(one.corruption, one.severity): one.accuracy for one in champion.scores}
        rows["champion"] = [
            100 * by_key.get((one.corruption, one.severity), float("nan")) for one in own.scores
        ]
        rows["difference"] = rows["accuracy"] - rows["champion"]
    return rows


def weakest(own: Robustness) -> CorruptedAccuracy:
    """Return the corruption and severity with the lowest accuracy."""
    return min(own.scores, key=lambda one: one.accuracy)


def describe_amount(one: CorruptedAccuracy) -> str:
    """Return an amount with its unit: 45 degrees."""
    return f"{one.amount:g} {one.unit}".strip()
