"""Data of the hyperparameter charts: scatter plot, parallel coordinates and accuracy heat map."""

from collections.abc import Sequence

import pandas as pd

# More points or lines are not distinguishable.
MAX_EXPERIMENTS = 1000
# Column -> axis title
AXES = {
    "learning_rate": "learning rate",
    "momentum": "momentum",
    "best_loss": "best loss",
    "test_accuracy": "accuracy, %",
}
LOG_AXES = ("learning_rate", "best_loss")


def plottable(experiments: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the experiments with a number in each of these columns, above 0 on a log axis."""
    rows = experiments.dropna(subset=list(columns))
    for column in set(columns).intersection(LOG_AXES):
        rows = rows[rows[column] > 0]
    return rows
