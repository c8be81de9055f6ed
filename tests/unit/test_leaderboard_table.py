"""The leaderboard's table and summary."""

import math

import pandas as pd

from web.client import Model
from web.table import Best, Summary, accuracy_floor, leaderboard_table, summarise

EXPERIMENTS = pd.DataFrame(
    {
        "experiment": ["new", "middle", "old"],
        "task": ["a", "a", "a"],
        "learning_rate": [0.1, 0.01, 0.001],
        "momentum": [0.0, 0.5, 0.9],
        "architecture": ["lenet", None, "mlp"],
        "test_accuracy": [0.97, math.nan, 0.99],
        "outcome": ["finished", "diverged", "finished"],
        "best_loss": [0.05, 0.02, math.nan],
        "last_loss": [0.06, 0.02, math.nan],
        "missing_since": [None, None, None],
        "params": [{"batch_size": 64}, {"batch_size": 8}, {}],
        "metrics": [{}, {}, {}],
    }
)
MODELS = {
    "new": Model("new", "READY", None, "d", "a"),
    "old": Model("old", "FAILED", "corrupt", None, "a"),
    "stray": Model("stray", "READY", None, "d", "a"),
}


def test_the_most_accurate_stands_first_and_one_without_accuracy_last() -> None:
    table = leaderboard_table(EXPERIMENTS, ["new", "middle", "old"], MODELS)
    assert list(table["experiment"]) == ["old", "new", "middle"]


def test_name_learning_rate_and_momentum_are_the_first_columns() -> None:
    table = leaderboard_table(EXPERIMENTS, ["new"], MODELS)
    assert list(table.columns[:3]) == ["experiment", "learning_rate", "momentum"]


def test_only_chosen_experiments_are_shown() -> None:
    assert list(leaderboard_table(EXPERIMENTS, ["old"], MODELS)["experiment"]) == ["old"]


def test_the_serving_state_is_in_words() -> None:
    table = leaderboard_table(EXPERIMENTS, ["new", "middle", "old"], MODELS)
    assert list(table["serving"]) == ["Failed", "Ready", "No model"]


def test_with_the_api_down_the_serving_state_says_so() -> None:
    assert list(leaderboard_table(EXPERIMENTS, ["new"], None)["serving"]) == ["API down"]


def test_the_summary_names_the_leaders_and_counts_only_models_of_experiments() -> None:
    assert summarise(EXPERIMENTS, MODELS) == Summary(3, 0, Best("old", 0.99), Best("middle", 0.02), 1)


def test_an_experiment_that_its_file_no_longer_has_leads_nothing_and_is_counted_apart() -> None:
    gone = EXPERIMENTS.assign(missing_since=pd.Series([pd.NaT, pd.Timestamp("2026-01-01"), pd.NaT]))
    assert summarise(gone, MODELS) == Summary(2, 1, Best("old", 0.99), Best("new", 0.05), 1)


def test_a_loss_that_no_table_can_show_is_left_out_and_its_outcome_says_why() -> None:
    table = leaderboard_table(EXPERIMENTS.assign(last_loss=[0.06, 2e36, math.nan]), ["middle"], MODELS)
    assert (table["outcome"][0], math.isnan(table["last_loss"][0])) == ("diverged", True)


def test_without_outcomes_there_is_no_such_column() -> None:
    assert "outcome" not in leaderboard_table(EXPERIMENTS.assign(outcome=None), ["new"], MODELS)


def test_the_chosen_columns_are_shown_in_the_order_chosen() -> None:
    table = leaderboard_table(EXPERIMENTS, ["new", "middle"], MODELS, ["serving", "batch_size", "momentum"])
    assert (list(table.columns), list(table["batch_size"])) == (["experiment", "serving", "batch_size", "momentum"], [64, 8])


def test_those_of_one_task_stand_together_and_say_which_it_is() -> None:
    table = leaderboard_table(EXPERIMENTS.assign(task=["b", "a", "b"]), ["new", "middle", "old"], MODELS)
    assert list(table["experiment"]) == ["middle", "old", "new"]
    assert list(table["task"]) == ["a", "b", "b"]


def test_the_only_task_needs_no_column() -> None:
    assert "task" not in leaderboard_table(EXPERIMENTS, ["new"], MODELS)


def test_the_summary_of_nothing_has_no_leaders() -> None:
    assert summarise(EXPERIMENTS.iloc[:0], None) == Summary(0, 0, None, None, None)


def test_accuracy_bars_begin_at_the_ten_below_the_lowest() -> None:
    assert [accuracy_floor(EXPERIMENTS), accuracy_floor(EXPERIMENTS.iloc[:0])] == [90.0, 0.0]
