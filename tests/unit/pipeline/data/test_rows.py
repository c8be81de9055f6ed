"""Rows: splits, weights and the digest of a dataset."""

import hashlib
from collections import Counter

import pytest

from pipeline.data.rows import Content, Row, dataset_digest, split_of, weight_of

ROWS = [
    Row("b" * 64, "3", "train", 3, "correction"),
    Row("a" * 64, "7", "test", 1, "upload", "anna", "7/a.png", 4),
]


@pytest.mark.parametrize(
    ("percent", "split"),
    [(0, "test"), (14, "test"), (15, "validation"), (22, "validation"), (23, "train")],
)
def test_digest_decides_the_split(percent: int, split: str) -> None:
    assert split_of(f"{1300 + percent:08x}{'f' * 56}", None) == split


def test_group_decides_the_split_of_its_images() -> None:
    digests = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]
    assert len({split_of(digest, "anna") for digest in digests}) == 1
    counts = Counter(split_of(digest, f"writer {digest}") for digest in digests)
    assert set(counts) == {"train", "validation", "test"}
    assert counts["train"] > 120


@pytest.mark.parametrize(
    ("source", "split", "weight"),
    [
        ("correction", "train", 3),
        ("audit", "train", 3),
        ("upload", "train", 1),
        ("base", "train", 1),
        ("correction", "validation", 1),
        ("audit", "test", 1),
    ],
)
def test_weight_depends_on_source_and_split(source: str, split: str, weight: int) -> None:
    assert weight_of(source, split) == weight


def test_dataset_digest_is_that_of_the_sorted_lines() -> None:
    text = f"base {'c' * 64}\n{'a' * 64} 7 test 1\n{'b' * 64} 3 train 3\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert dataset_digest("c" * 64, ROWS) == dataset_digest("c" * 64, ROWS[::-1]) == digest
    assert dataset_digest("d" * 64, ROWS) != digest


def test_answered_row_replaces_the_uploaded_one() -> None:
    answered = Row("a" * 64, "1", "test", 1, "correction")
    content = Content("c", {row.digest: row for row in ROWS}, {answered.digest: answered})
    assert content.rows() == [answered, ROWS[0]]
