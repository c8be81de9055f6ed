"""Tables and descriptions of datasets and uploads."""

import pandas as pd
import pytest

from tests.support.fake_learning import FakeLearning
from web.tables.pipeline_data import (
    count_table,
    dataset_table,
    describe_sources,
    describe_waiting,
    lineage,
    rejects_table,
    upload_table,
)

LEARNING = FakeLearning()


def test_dataset_counts_its_images_beyond_the_base() -> None:
    table = dataset_table(LEARNING.dataset_rows)
    assert list(table["added"]) == [12, 0]
    assert table["parent"].iloc[0] == "aaaaaaaa"
    assert list(table["runs"].fillna("")) == ["7", ""]


def test_lineage_ends_at_the_base() -> None:
    arrow = " \N{RIGHTWARDS ARROW} "
    assert lineage(LEARNING.dataset_rows, 0) == arrow.join(["base", "`aaaaaaaa`", "**`bbbbbbbb`**"])
    assert lineage(LEARNING.dataset_rows, 1) == arrow.join(["base", "**`aaaaaaaa`**"])


def test_lineage_beyond_the_listed_versions_is_cut() -> None:
    newest = LEARNING.dataset_rows.iloc[:1]
    assert lineage(newest, 0).startswith("\N{HORIZONTAL ELLIPSIS}")


@pytest.mark.parametrize(
    ("sources", "text"),
    [
        ({}, ""),
        ({"base": {"name": "mnist", "images": 70_000}}, "Images by source: base 70,000."),
        ({"uploads": {"3": 480, "4": 20}, "audit": 0}, "Images by source: uploads 500."),
    ],
)
def test_sources_are_described(sources: dict[str, object], text: str) -> None:
    assert describe_sources(sources) == text


def test_missing_splits_count_zero() -> None:
    counts = pd.DataFrame(
        [("7", "train", "upload", 2), ("7", "train", "audit", 1)],
        columns=["label", "split", "source", "images"],
    )
    assert count_table(counts).to_dict("records") == [
        {"label": "7", "train": 3, "validation": 0, "test": 0, "total": 3}
    ]


def test_rejects_name_their_file() -> None:
    assert rejects_table(LEARNING.upload_rows).to_numpy().tolist() == [
        ["pens.zip", "7/a.png", "The file is not an *image*."]
    ]


def test_upload_has_its_state_and_reason() -> None:
    table = upload_table(LEARNING.upload_rows)
    assert list(table["state"]) == [["Accepted"], ["Rejected"]]
    assert table["reason"].iloc[1] == "No folders."


def test_one_label_waits() -> None:
    assert describe_waiting(1) == "1 label waits for the next run"
    assert describe_waiting(2) == "2 labels wait for the next run"
