"""Table of groups of runs, and the filter of a group."""

import math

import pandas as pd
import pytest

from web.data.filter_language import parse_filter
from web.tables.run_groups import BASELINE_MARK, group_filter, group_table

GROUPS = pd.DataFrame(
    {
        "group_0": ["lenet", None],
        "group_1": [64, 0.5],
        "runs": [3, 1],
        "mean": [0.98, 0.9],
        "deviation": [0.01, math.nan],
        "lowest": [0.97, 0.9],
        "highest": [0.99, 0.9],
        "has_baseline": [False, False],
    },
    dtype="object",
)


def test_accuracy_of_a_group_is_percent() -> None:
    table = group_table(GROUPS, ["architecture", "batch_size"], "test_accuracy")
    assert list(table.iloc[0]) == pytest.approx(["lenet", "64", 3, 98.0, 1.0, 97.0, 99.0])
    assert list(table.iloc[1, :3]) == ["\N{EN DASH}", "0.5", 1]
    assert group_table(GROUPS, ["a", "b"], "best_loss")["mean"][0] == 0.98


def test_group_of_the_baseline_is_marked() -> None:
    marked = GROUPS.assign(has_baseline=[False, True])
    table = group_table(marked, ["architecture", "batch_size"], "best_loss")
    assert list(table["baseline"]) == ["", BASELINE_MARK]


def test_filter_of_a_group_finds_its_values_within_the_filter() -> None:
    names = ["architecture", "batch size", "note", "flag", "weight_decay"]
    text = group_filter(names, ["le net", 64, None, True, 1e-05], "lr < 1 or lr > 2")
    assert text == (
        "(lr < 1 or lr > 2) and architecture = 'le net' and 'batch size' = 64"
        " and note is missing and flag = true and weight_decay = 1e-05"
    )
    assert parse_filter(text, names) is not None
    assert group_filter(["task"], ["it's"], " ") == "task = 'it''s'"
