"""Robustness file: written, read, and refused where it is not valid."""

import json
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.robustness import (
    MAX_BYTES,
    ROBUSTNESS_FILE,
    InvalidRobustnessError,
    Robustness,
    Score,
    read,
)

FOUND = Robustness(
    model="d" * 64,
    images_digest="e" * 64,
    images=300,
    correct=297,
    scores=(Score("rotation", 1, 15.0, 300, 290), Score("blur", 4, 2.0, 300, 150)),
)


def test_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    FOUND.write(tmp_path)
    assert read(tmp_path, "d" * 64) == FOUND
    assert [path.name for path in tmp_path.iterdir()] == [ROBUSTNESS_FILE]


def test_mean_accuracy_counts_every_score_once() -> None:
    assert FOUND.mean_accuracy == pytest.approx((290 + 150) / 600)


def test_file_of_another_model_or_none_is_ignored(tmp_path: Path) -> None:
    assert read(tmp_path, "d" * 64) is None
    FOUND.write(tmp_path)
    assert read(tmp_path, "f" * 64) is None
    assert read(tmp_path, None) is None


def document(**changes: Any) -> dict[str, Any]:
    score = {"corruption": "blur", "severity": 1, "amount": 0.5, "images": 3, "correct": 2}
    return {
        "model": "d", "images_digest": "e", "images": 3, "correct": 3, "scores": [score], **changes
    }  # fmt: skip


def changed_score(**changes: Any) -> dict[str, Any]:
    return document(scores=[{**document()["scores"][0], **changes}])


def test_smallest_document_is_valid() -> None:
    assert Robustness.from_document(document()).scores[0].correct == 2


@pytest.mark.parametrize(
    "invalid",
    [
        None,
        [],
        {},
        document(model=3),
        document(model=""),
        document(model="d" * 65),
        document(images=0),
        document(correct=4),
        document(images=2.5),
        document(correct=True),
        document(scores=[]),
        document(scores={}),
        document(scores=[None]),
        document(scores=document()["scores"] * 2),
        document(scores=[{}] * 101),
        changed_score(corruption="x" * 33),
        changed_score(corruption="a\nb"),
        changed_score(severity=0),
        changed_score(severity=5),
        changed_score(severity="1"),
        changed_score(amount=None),
        changed_score(amount=float("nan")),
        changed_score(amount=1e300),
        changed_score(correct=-1),
        changed_score(images=2**31),
    ],
)
def test_invalid_document_raises(invalid: Any) -> None:
    with pytest.raises(InvalidRobustnessError, match="Run make robustness"):
        Robustness.from_document(invalid)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 50_000, b" " * (MAX_BYTES + 1)])
def test_unreadable_file_raises(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ROBUSTNESS_FILE).write_bytes(content)
    with pytest.raises(InvalidRobustnessError):
        read(tmp_path, "d")


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(json.dumps(document()))
    (tmp_path / ROBUSTNESS_FILE).symlink_to(tmp_path / "own.json")
    with pytest.raises(InvalidRobustnessError, match="symbolic link"):
        read(tmp_path, "d")
