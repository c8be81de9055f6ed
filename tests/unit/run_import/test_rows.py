import json
import math
from typing import Any

import pytest

from run_import.past_run import PastRun
from run_import.rows import Table, build_table

LOSS = [(0, 1, 2.0), (1, 2, 1.0)]


def run(name: str = "lenet", **fields: Any) -> PastRun:
    fields = {"run_id": name, "params": {}, "metrics": {"loss": LOSS}, **fields}
    return PastRun(name, **fields)


def only_row(table: Table) -> dict[str, str]:
    [row] = table.rows
    return dict(row)


def test_run_becomes_a_row() -> None:
    params = {"optimizer_name": "SGD", "optimizer_learning_rate": "0.009999999776482582", "w": "3"}
    metrics = {"loss": LOSS, "val_acc": [(0, 1, 0.5), (1, 2, 0.75)], "test_acc": [(0, 1, 0.98)]}
    given = run(params=params, metrics=metrics, project="mnist", started_ms=1000, ended_ms=61_000)
    table = build_table([given], "parity")
    assert only_row(table) == {
        "Experiment Name": "mnist_lenet",
        "Learning Rate": "0.01",
        "Momentum": "0.0",
        "Loss": '{"Step": [0, 1], "Value": [2.0, 1.0]}',
        "Task": "parity",
        "validation_accuracy": '{"Step": [0, 1], "Value": [0.5, 0.75]}',
        "test_accuracy": "0.98",
        "optimizer_name": "SGD",
        "w": "3",
        "source_run": "lenet",
        "trained_at": "1970-01-01T00:00:01+00:00",
        "seconds": "60",
    }
    assert table.titles[:5] == ["Experiment Name", "Learning Rate", "Momentum", "Loss", "Task"]
    assert table.notes == []


def test_run_without_rates_has_the_word_none() -> None:
    row = only_row(build_table([run()]))
    assert (row["Learning Rate"], row["Momentum"]) == ("none", "none")


def test_rate_that_is_a_metric_is_its_first_value() -> None:
    metrics = {"loss": LOSS, "epoch_learning_rate": [(0, 1, 0.1), (1, 2, 0.05)]}
    assert only_row(build_table([run(metrics=metrics)]))["Learning Rate"] == "0.1"


def test_run_without_loss_has_the_word_none() -> None:
    row = only_row(build_table([run(metrics={"val_acc": [(0, 1, 0.5)]})]))
    assert (row["Loss"], row["validation_accuracy"]) == ("none", "0.5")


def test_run_without_any_metric_is_left_out() -> None:
    unfinished = run("b", params={"lr": "1"}, metrics={"loss": [(0, 1, math.nan)]})
    table = build_table([run("a"), unfinished])
    assert [row["Experiment Name"] for row in table.rows] == ["a"]
    assert table.left_out == ["b"]
    assert table.notes == ["b: values of loss that are not finite left out: 1."]


def test_tags_and_note_become_parameters() -> None:
    tags = {"Dataset": "mnist", "loss": "mse", "best/score": "0.5", "dataset": "other"}
    table = build_table([run(tags=tags, note="Wide\nand **deep**.")])
    row = only_row(table)
    assert (row["tag_dataset"], row["tag_loss"]) == ("mnist", "mse")
    assert row["note"] == "Wide\nand **deep**."
    assert "tag_best_score" not in row
    assert table.notes == [
        "lenet: tag best/score left out: the number would be a metric in a column tag_best_score.",
        "lenet: tag dataset left out: the column tag_dataset has another value.",
    ]
    assert "note" not in only_row(build_table([run()]))


def test_points_that_are_not_finite_are_left_out() -> None:
    metrics = {"loss": [*LOSS, (2, 3, math.nan), (3, 4, math.inf)]}
    table = build_table([run(metrics=metrics)])
    assert json.loads(only_row(table)["Loss"])["Step"] == [0, 1]
    assert table.notes == ["lenet: values of loss that are not finite left out: 2."]


def test_points_of_one_step_are_numbered_by_time() -> None:
    metrics = {"loss": LOSS, "validation_loss": [(0, 30, 0.3), (0, 10, 0.5), (0, 20, 0.4)]}
    row = only_row(build_table([run(metrics=metrics)]))
    assert json.loads(row["validation_loss"]) == {"Step": [0, 1, 2], "Value": [0.5, 0.4, 0.3]}


def test_accuracy_in_percent_becomes_a_fraction() -> None:
    metrics = {"loss": LOSS, "acc": [(0, 1, 50.0), (1, 2, 97.5)], "test_acc": [(0, 1, 97.5)]}
    row = only_row(build_table([run(metrics=metrics)]))
    assert json.loads(row["accuracy"])["Value"] == [0.5, 0.975]
    assert row["test_accuracy"] == "97.5%"


def test_test_accuracy_with_a_curve_keeps_its_last_value() -> None:
    metrics = {"loss": LOSS, "test_accuracy": [(0, 1, 0.9), (1, 2, 0.95)]}
    row = only_row(build_table([run(metrics=metrics)]))
    assert row["test_accuracy"] == "0.95"
    assert json.loads(row["test_accuracy_curve"])["Value"] == [0.9, 0.95]


def test_parameter_with_the_name_of_a_metric_is_renamed() -> None:
    params = {"loss": "mse", "task": "x", "accuracy": "y", "empty": ""}
    metrics = {"loss": LOSS, "acc": [(0, 1, 0.5)]}
    row = only_row(build_table([run(params=params, metrics=metrics)]))
    assert (row["param_loss"], row["param_task"], row["param_accuracy"]) == ("mse", "x", "y")
    assert "empty" not in row


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a", "a", "a"], ["a", "a_2", "a_3"]), (["a b", "ä", "/"], ["run", "a_b", "run_2"])],
)
def test_names_are_valid_and_unique(names: list[str], expected: list[str]) -> None:
    table = build_table([run(name) for name in names])
    assert [row["Experiment Name"] for row in table.rows] == expected
