"""Tables of the Evaluate page."""

import numpy as np

from evaluation.errors import ConfusedPair
from evaluation.metrics import Predictions, Report, evaluate
from evaluation.paired_tests import compare
from web.evaluations.tables import (
    calibration_table,
    class_table,
    model_table,
    pair_table,
    uncounted_images,
)

PREDICTIONS = Predictions(
    ("a", "b", "c"),
    np.array([(0.9, 0.1, 0), (0.4, 0.6, 0), (0.2, 0.8, 0)], dtype=np.float32),
)


def report() -> Report:
    return evaluate("aab", PREDICTIONS)


def test_class_table_is_in_percent_with_missing_values() -> None:
    table = class_table(report()).set_index("label")
    assert list(table.loc["a", ["images", "recall", "precision"]]) == [2, 50.0, 100.0]
    assert str(table.loc["a", "interval"]).replace("\N{NO-BREAK SPACE}", " ") == "9.5 % to 90.5 %"
    assert (table.loc["c", "interval"], table["f1"].isna().tolist()) == ("", [False, False, True])


def test_calibration_table_has_a_row_per_bin() -> None:
    table = calibration_table(report())
    assert list(table.columns) == ["low", "high", "images", "confidence", "accuracy"]
    assert (len(table), table["images"].sum(), table["accuracy"].isna().sum()) == (15, 3, 12)


def test_model_table_counts_images_that_one_model_gets_right() -> None:
    other = Predictions(("a", "b", "c"), np.eye(3, dtype=np.float32)[[0, 0, 0]])
    agreement = compare("aab", PREDICTIONS, other)
    table = model_table(["x", "y"], [report(), evaluate("aab", other)], agreement)
    assert table["Correct only here"].tolist() == [1, 1]
    assert table["Accuracy"].round(1).tolist() == [66.7, 66.7]


def test_uncounted_images_are_counted_by_reason() -> None:
    rows = np.full((8, 3), np.nan, np.float32)
    rows[0] = (1, 0, 0)
    blank, several = ("no digit found",), ("several digits (2)",)
    predictions = Predictions(
        ("a", "b", "c"), rows, {1: blank, 2: several, 3: several, 4: several, 5: blank}
    )
    assert uncounted_images(evaluate("aaaaaaaa", predictions), predictions) == [
        "2 unreadable images",
        "2 images without a digit",
        "3 images with several digits",
    ]
    assert uncounted_images(report(), PREDICTIONS) == []


def test_pair_table_has_shares_of_all_errors() -> None:
    table = pair_table([ConfusedPair("4", "9", 3), ConfusedPair("7", "1", 1)])
    assert table.to_dict("records") == [
        {"true": "4", "predicted": "9", "images": 3, "share": 75.0},
        {"true": "7", "predicted": "1", "images": 1, "share": 25.0},
    ]
