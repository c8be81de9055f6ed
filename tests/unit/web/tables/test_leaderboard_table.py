"""The leaderboard's table, and what it says of itself."""

import math

import pandas as pd
import pytest

from web.data.api_client import Model
from web.data.filter_language import parse
from web.data.queries import LeaderboardPage, LeaderboardQuery, TaskSummary
from web.tables.leaderboard_table import (
    CHAMPION,
    accuracy_floor,
    by_task,
    describe_rows,
    leaderboard_table,
    serving_count,
    to_csv,
    usable_page,
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
        "best_loss": [0.05, 0.02, math.nan],
        "last_loss": [0.06, 0.02, math.nan],
        "missing_since": [None, None, None],
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


USUAL = [
    "champion",
    "learning_rate",
    "momentum",
    "outcome",
    "test_accuracy",
    "last_loss",
    "loss_curve",
    "serving",
]


def board(matching: int) -> LeaderboardPage:
    totals = [
        TaskSummary(task, number, 1, None, None, None, None, None)
        for task, number in (("a", 5), ("b", 7))
    ]
    return LeaderboardPage(pd.DataFrame(), 1, matching, tuple(totals))


def test_the_order_of_the_rows_stays() -> None:
    assert list(leaderboard_table(EXPERIMENTS, MODELS, USUAL)["experiment"]) == [
        "new",
        "middle",
        "old",
    ]


def test_the_name_leads_and_the_columns_follow_in_the_order_chosen() -> None:
    table = leaderboard_table(EXPERIMENTS, MODELS, ["serving", "batch_size", "momentum"])
    assert list(table.columns) == ["experiment", "serving", "batch_size", "momentum"]
    assert list(table["batch_size"])[:2] == [64, 8]


def test_accuracies_are_percent_and_the_champion_has_its_star() -> None:
    table = leaderboard_table(EXPERIMENTS, MODELS, USUAL)
    assert (list(table["champion"]), table["test_accuracy"][0]) == (["", CHAMPION, ""], 97.0)


def test_the_serving_state_is_in_words() -> None:
    assert list(leaderboard_table(EXPERIMENTS, MODELS, USUAL)["serving"]) == [
        "Ready",
        "No model",
        "Failed",
    ]


def test_with_the_api_down_the_serving_state_says_so() -> None:
    assert set(leaderboard_table(EXPERIMENTS, None, USUAL)["serving"]) == {"API down"}


def test_a_loss_that_no_table_can_show_is_left_out_and_its_outcome_says_why() -> None:
    diverged = EXPERIMENTS.assign(
        last_loss=[0.06, 2e36, math.nan], loss_curve=pd.Series([[0.1], [0.1, 2e36], []])
    )
    table = leaderboard_table(diverged, MODELS, USUAL)
    assert (table["outcome"][1], math.isnan(table["last_loss"][1]), table["loss_curve"][1]) == (
        "diverged",
        True,
        [0.1, 2.0**53],
    )


def test_only_models_of_the_tasks_experiments_count_as_serving() -> None:
    task_of = {"new": "a", "middle": "a", "old": "a"}
    assert [
        serving_count(task_of, "a", MODELS),
        serving_count(task_of, "b", MODELS),
        serving_count(task_of, "a", None),
    ] == [
        1,
        0,
        None,
    ]


@pytest.mark.parametrize(
    ("lowest", "floor"), [(0.97, 90.0), (0.84, 80.0), (None, 0.0), (1.0, 90.0)]
)
def test_accuracy_bars_begin_at_the_ten_below_the_lowest(
    lowest: float | None, floor: float
) -> None:
    assert accuracy_floor(lowest) == floor


@pytest.mark.parametrize(
    ("view", "counts", "words"),
    [
        (
            LeaderboardQuery(latest=5),
            (0, 5, 5, 60),
            "5 of 60 experiments, the newest; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(),
            (0, 60, 60, 60),
            "60 of 60 experiments; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(latest=99),
            (0, 60, 60, 60),
            "60 of 60 experiments; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(),
            (100, 100, 250, 250),
            "101 to 200 of 250 experiments; sorted by test accuracy, highest first; 50 more behind",
        ),
        (
            LeaderboardQuery(latest=150),
            (100, 50, 150, 250),
            "101 to 150 of the newest 150 of 250 experiments, the newest; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(names=("a", "b")),
            (0, 2, 2, 60),
            "2 of 2 chosen experiments; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(condition=parse("lr < 1", ())),
            (0, 7, 7, 60),
            "7 of 7 that match; 53 of 60 experiments do not; sorted by test accuracy, highest first",
        ),
        (
            LeaderboardQuery(sort="batch_size", descending=False),
            (0, 9, 9, 9),
            "9 of 9 experiments; sorted by batch size, lowest first",
        ),
    ],
)
def test_what_is_hidden_is_said(
    view: LeaderboardQuery, counts: tuple[int, int, int, int], words: str
) -> None:
    first, shown, matching, among = counts
    assert (
        describe_rows(
            view, first=first, shown=shown, matching=matching, among=among, several_tasks=False
        )
        == words
    )


def test_several_tasks_are_said_to_stand_one_after_another() -> None:
    assert "sorted by task, then by" in describe_rows(
        LeaderboardQuery(), first=0, shown=3, matching=3, among=3, several_tasks=True
    )


@pytest.mark.parametrize(
    ("asked", "page"),
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
def test_a_link_may_ask_for_any_page(asked: object, page: int) -> None:
    assert usable_page(asked) == page


def test_a_page_count_is_never_none() -> None:
    assert [board(0).pages, board(100).pages, board(101).pages] == [1, 1, 2]


def test_those_that_no_file_has_any_more_count_among_all() -> None:
    assert [board(0).among("a"), board(0).among(None)] == [6, 14]


def test_names_are_grouped_by_task_in_the_order_of_the_rows() -> None:
    rows = EXPERIMENTS.assign(task=["b", "a", "b"])
    assert by_task(rows, ["old", "new", "middle"]) == {"b": ["new", "old"], "a": ["middle"]}


def test_a_csv_has_values_as_they_are_stored_and_a_column_for_every_key() -> None:
    header, first, *_ = to_csv(EXPERIMENTS.drop(columns="loss_curve")).splitlines()
    assert header.endswith("best_loss,last_loss,champion,batch_size")
    assert first == "new,a,0.1,0.0,lenet,0.97,finished,0.05,0.06,False,64"
