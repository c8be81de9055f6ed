"""Table of the leaderboard and its caption."""

import math

import pandas as pd
import pytest

from web.data.api_types import Model
from web.data.filter_language import parse_filter
from web.data.leaderboard_queries import LeaderboardQuery, TaskSummary
from web.tables.leaderboard_table import (
    accuracy_bar_range,
    count_serving,
    describe_rows,
    group_by_task,
    leaderboard_table,
    parse_page,
    to_csv,
)

EXPERIMENTS = pd.DataFrame(
    {
        "experiment": ["new", "middle", "old"],
        "task": ["a", "a", "a"],
        "learning_rate": [0.1, 0.01, 0.001],
        "momentum": [0.0, 0.5, 0.9],
        "architecture": ["lenet", None, "mlp"],
        "test_accuracy": [0.97, math.nan, 0.99],
        "outcome": ["finished", "diverged", "finished"],
        "best_validation_loss": [0.055, 0.02, math.nan],
        "best_loss": [0.05, 0.02, math.nan],
        "last_loss": [0.06, 0.02, math.nan],
        "state": ["finished", "running", "finished"],
        "missing_since": [None, None, None],
        "archived_at": [None, None, pd.Timestamp("2026-01-01")],
        "params": [{"batch_size": 64}, {"batch_size": 8}, {}],
        "metrics": [{}, {}, {}],
        "champion": [False, True, False],
        "loss_curve": [[0.6, 0.5], [0.1], []],
    }
)
MODELS = {
    "new": Model("new", "READY", None, "d", "a"),
    "old": Model("old", "FAILED", "corrupt", None, "a"),
    "stray": Model("stray", "READY", None, "d", "a"),
}


DEFAULT_COLUMNS = [
    "champion",
    "learning_rate",
    "momentum",
    "outcome",
    "test_accuracy",
    "last_loss",
    "loss_curve",
    "serving",
]


def test_rows_keep_their_order() -> None:
    assert list(leaderboard_table(EXPERIMENTS, MODELS, DEFAULT_COLUMNS)["experiment"]) == [
        "new",
        "middle",
        "old",
    ]


def test_columns_follow_the_name_in_the_chosen_order() -> None:
    table = leaderboard_table(EXPERIMENTS, MODELS, ["serving", "batch_size", "momentum"])
    assert list(table.columns) == ["experiment", "run", "serving", "batch_size", "momentum"]
    assert list(table["batch_size"])[:2] == [64, 8]


def test_accuracy_is_percent_and_champion_has_a_star() -> None:
    table = leaderboard_table(EXPERIMENTS, MODELS, DEFAULT_COLUMNS)
    assert (list(table["champion"]), table["test_accuracy"][0]) == (
        ["", "\N{BLACK STAR}", ""],
        97.0,
    )


def test_serving_state_is_readable() -> None:
    assert list(leaderboard_table(EXPERIMENTS, MODELS, DEFAULT_COLUMNS)["serving"]) == [
        "Ready",
        "No model",
        "Failed",
    ]


def test_archived_run_is_marked() -> None:
    assert list(leaderboard_table(EXPERIMENTS, MODELS, ["state"])["state"]) == [
        "finished",
        "running",
        "finished, archived",
    ]


def test_serving_state_while_the_api_is_down() -> None:
    assert set(leaderboard_table(EXPERIMENTS, None, DEFAULT_COLUMNS)["serving"]) == {"API down"}


def test_loss_above_the_display_limit_is_missing() -> None:
    diverged = EXPERIMENTS.assign(
        last_loss=[0.06, 2e36, math.nan], loss_curve=pd.Series([[0.1], [0.1, 2e36], []])
    )
    table = leaderboard_table(diverged, MODELS, DEFAULT_COLUMNS)
    assert (table["outcome"][1], math.isnan(table["last_loss"][1]), table["loss_curve"][1]) == (
        "diverged",
        True,
        [0.1, 2.0**53],
    )


def test_count_serving_needs_an_experiment_of_the_task() -> None:
    task_of = {"new": "a", "middle": "a", "old": "a"}
    assert [
        count_serving(task_of, "a", MODELS),
        count_serving(task_of, "b", MODELS),
        count_serving(task_of, "a", None),
    ] == [
        1,
        0,
        None,
    ]


@pytest.mark.parametrize(
    ("spans", "bars"),
    [
        ([(0.97, 0.99)], (96.0, 99.0)),
        ([(0.9912, 0.9914)], (98.8, 99.2)),  # noise does not fill the bars
        ([(0.97, 0.99), (None, None), (0.8, 0.9)], (70.5, 99.0)),
        ([(0.001, 0.5)], (0.0, 50.0)),
        ([(None, None)], (0.0, 100.0)),
    ],
)
def test_accuracy_bars_show_differences(
    spans: list[tuple[float | None, float | None]], bars: tuple[float, float]
) -> None:
    summaries = [
        TaskSummary("t", 3, 0, None, best, quartile, None, None) for quartile, best in spans
    ]
    assert accuracy_bar_range(summaries) == pytest.approx(bars)


@pytest.mark.parametrize(
    ("query", "counts", "caption"),
    [
        (
            LeaderboardQuery(latest=5),
            (0, 5, 5, 60),
            "Newest 5 of 60 experiments, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(),
            (0, 60, 60, 60),
            "All 60 experiments, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(latest=99),
            (0, 60, 60, 60),
            "All 60 experiments, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(),
            (100, 100, 250, 250),
            "101 to 200 of 250 experiments, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(latest=150),
            (100, 50, 150, 250),
            (
                "101 to 150 of the newest 150 (250 experiments), sorted by test accuracy,"
                " highest first"
            ),
        ),
        (
            LeaderboardQuery(names=("a", "b")),
            (0, 2, 2, 60),
            "2 picked experiments, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(condition=parse_filter("lr < 1", ())),
            (0, 7, 7, 60),
            "7 of 60 match, sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(condition=parse_filter("lr < 1", ())),
            (100, 50, 150, 210),
            "101 to 150 of 150 matches (210 experiments), sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(sort="batch_size", descending=False),
            (0, 9, 9, 9),
            "All 9 experiments, sorted by batch size, lowest first",
        ),
    ],
)
def test_caption_counts_hidden_rows(
    query: LeaderboardQuery, counts: tuple[int, int, int, int], caption: str
) -> None:
    offset, shown, matching_count, total_count = counts
    assert (
        describe_rows(
            query,
            offset=offset,
            shown=shown,
            matching_count=matching_count,
            total_count=total_count,
            has_several_tasks=False,
        )
        == caption
    )


def test_caption_mentions_the_order_by_task() -> None:
    assert "sorted by task, then by" in describe_rows(
        LeaderboardQuery(),
        offset=0,
        shown=3,
        matching_count=3,
        total_count=3,
        has_several_tasks=True,
    )


@pytest.mark.parametrize(
    ("value", "page"),
    [
        ("3", 3),
        (3, 3),
        (None, 1),
        ("0", 1),
        ("-1", 1),
        ("x", 1),
        ("9" * 20, 1),
        ("\N{SUPERSCRIPT TWO}", 1),
    ],
)
def test_page_of_a_link_is_validated(value: object, page: int) -> None:
    assert parse_page(value) == page


def test_names_are_grouped_by_task_in_row_order() -> None:
    rows = EXPERIMENTS.assign(task=["b", "a", "b"])
    assert group_by_task(rows, ["old", "new", "middle"]) == {"b": ["new", "old"], "a": ["middle"]}


def test_csv_has_stored_values_and_every_key() -> None:
    header, offset, *_ = to_csv(EXPERIMENTS.drop(columns="loss_curve")).splitlines()
    assert header.endswith("best_loss,last_loss,state,champion,batch_size")
    assert offset == "new,a,0.1,0.0,lenet,0.97,finished,0.055,0.05,0.06,finished,False,64"
