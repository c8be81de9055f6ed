"""Tables of the page History."""

import pandas as pd
import pytest

from web.data.tracking.history_types import LiveAccuracy, ModelAnswer
from web.tables.tracking.history_tables import answer_table, class_table, version_table

LIVE = LiveAccuracy(
    pd.DataFrame(
        {
            "experiment_name": ["a", "b"],
            "version": [1, 2],
            "task": ["digits", "letters"],
            "images": [10, 4],
            "correct": [9, 0],
            "test_accuracy": [0.98, None],
        }
    ),
    pd.DataFrame(
        {
            "experiment_name": ["a", "a", "b"],
            "version": [1, 1, 2],
            "task": ["digits", "digits", "letters"],
            "true_label": ["4", "9", "x"],
            "images": [8, 2, 4],
            "correct": [8, 1, 0],
        }
    ),
)


def test_versions_of_a_task_have_intervals() -> None:
    [row] = version_table(LIVE, "digits").to_dict("records")
    assert (row["version"], row["live"], row["images"]) == ("evaluate?model=a@1", 90, 10)
    assert (row["low"], row["high"]) == (pytest.approx(59.6, abs=0.1), pytest.approx(98.2, abs=0.1))
    assert row["test"] == 98
    assert len(version_table(LIVE, None)) == 2


def test_classes_of_a_version_have_their_own_accuracy() -> None:
    table = class_table(LIVE, "a", 1)
    assert table[["label", "live", "images"]].to_numpy().tolist() == [["4", 100, 8], ["9", 50, 2]]


def test_answers_are_right_or_wrong_with_a_label() -> None:
    answers = [ModelAnswer("a", 1, "4", 0.9), ModelAnswer("b", 2, "9", 0.5)]
    assert list(answer_table(answers, "4")["is_right"]) == [True, False]
    assert list(answer_table(answers, None)["is_right"]) == [None, None]
    assert list(answer_table(answers, "4")["model"]) == ["a@1", "b@2"]
