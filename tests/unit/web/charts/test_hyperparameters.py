"""Data of the hyperparameter charts."""

import pandas as pd

from web.charts.hyperparameters import plottable

EXPERIMENTS = pd.DataFrame(
    {
        "experiment": ["a", "b", "c", "d"],
        "learning_rate": [0.1, 0.1, 0.01, 0.0],
        "momentum": [0.9, 0.9, 0.0, 0.0],
        "best_loss": [0.5, 0.25, None, 0.1],
        "test_accuracy": [0.9, 0.985, 0.5, 0.7],
    }
)


def test_plottable_needs_every_column() -> None:
    assert list(plottable(EXPERIMENTS, ("momentum", "best_loss"))["experiment"]) == ["a", "b", "d"]


def test_plottable_needs_positive_values_on_a_log_axis() -> None:
    assert list(plottable(EXPERIMENTS, ("learning_rate",))["experiment"]) == ["a", "b", "c"]
