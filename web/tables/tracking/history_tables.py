"""Tables of the page History: live accuracy by version and by class, and answers of models."""

from collections.abc import Sequence

import pandas as pd

from evaluation.metrics import wilson_interval
from web.data.tracking.history_types import LiveAccuracy, ModelAnswer


def version_table(live: LiveAccuracy, task: str | None) -> pd.DataFrame:
    """Return one row per version: version, live, low, high, images, test. Shares in percent.

    The version is an address of the page Evaluate.
    """
    rows = _of_task(live.versions, task)
    table = _with_interval(rows)
    table.insert(
        0,
        "version",
        [
            f"evaluate?model={name}@{version}"
            for name, version in zip(rows["experiment_name"], rows["version"], strict=True)
        ],
    )
    table["test"] = pd.to_numeric(rows["test_accuracy"]).to_numpy() * 100
    return table


def class_table(live: LiveAccuracy, name: str, version: int) -> pd.DataFrame:
    """Return one row per class of a version: label, live, low, high, images. Shares in percent."""
    rows = live.classes
    rows = rows[(rows["experiment_name"] == name) & (rows["version"] == version)]
    table = _with_interval(rows)
    table.insert(0, "label", rows["true_label"].to_numpy())
    return table


def _of_task(rows: pd.DataFrame, task: str | None) -> pd.DataFrame:
    return rows if task is None else rows[rows["task"] == task]


def _with_interval(rows: pd.DataFrame) -> pd.DataFrame:
    counts = [
        (int(correct), int(images))
        for correct, images in zip(rows["correct"], rows["images"], strict=True)
    ]
    intervals = [wilson_interval(*one) for one in counts]
    return pd.DataFrame(
        {
            "live": [100 * correct / images for correct, images in counts],
            "low": [100 * one.low for one in intervals],
            "high": [100 * one.high for one in intervals],
            "images": [images for _, images in counts],
        }
    )


def answer_table(answers: Sequence[ModelAnswer], true_label: str | None) -> pd.DataFrame:
    """Return one row per version: model, label, confidence in percent, and whether it is right."""
    return pd.DataFrame(
        {
            "model": [f"{one.experiment}@{one.version}" for one in answers],
            "label": [one.label for one in answers],
            "confidence": [100 * one.confidence for one in answers],
            "is_right": [
                None if true_label is None else one.label == true_label for one in answers
            ],
        }
    )
