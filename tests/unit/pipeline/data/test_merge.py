"""Merge: one label and one split for each image, in any order of its sources."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.preprocessing.digits import pixel_digest
from pipeline.data.base import Base, load_base
from pipeline.data.merge import Merged, PersonLabel, merge, source_of
from pipeline.data.rows import Content
from pipeline.data.upload_reader import LabeledImages
from tests.support.learning_data import different_digits, write_base
from training import task

TASK = task.read("mnist")
IMAGES, _ = different_digits(40, 3)
DIGESTS = [pixel_digest(np.ascontiguousarray(image)) for image in IMAGES]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    path = write_base(tmp_path_factory.mktemp("base") / "mnist.npz")
    return load_base({"MNIST_PATH": str(path)})


def upload(
    images: NDArray[np.uint8], labels: Sequence[str], group: str | None = None
) -> LabeledImages:
    places = tuple(f"row {number}" for number in range(len(labels)))
    return LabeledImages(images, tuple(labels), places, (group,) * len(labels), (), 0)


def person(number: int, label: str, source: str = "correction") -> PersonLabel:
    return PersonLabel(DIGESTS[number], label, source, IMAGES[number].tobytes())


def merged(
    base: Base,
    uploads: dict[int, LabeledImages] | None = None,
    labels: Sequence[PersonLabel] = (),
    parent: Content | None = None,
    splits: dict[str, str] | None = None,
) -> Merged:
    return merge(base, TASK, parent, uploads or {}, labels, splits or {})


def test_copies_in_an_upload_are_one_row(base: Base) -> None:
    result = merged(base, {1: upload(IMAGES[[0, 0, 1]], "334")})
    assert sorted(result.content.uploaded) == sorted(DIGESTS[:2])
    assert (result.used, dict(result.rejects)) == ({1: 3}, {})


def test_upload_that_disagrees_with_itself_loses_both(base: Base) -> None:
    result = merged(base, {1: upload(IMAGES[[0, 1, 0]], "345")})
    assert list(result.content.uploaded) == [DIGESTS[1]]
    reason = "Labeled 3 at row 0 of upload 1, and 5 at row 2 of upload 1."
    assert [(reject.path, reject.reason) for reject in result.rejects[1]] == [
        ("row 0", reason),
        ("row 2", reason),
    ]
    assert result.used == {1: 1}


def test_upload_with_a_base_image_adds_nothing(base: Base) -> None:
    label = str(base.train_labels[4])
    result = merged(base, {1: upload(base.train_images[[4]], label)})
    assert result.content.rows() == []
    assert (result.used, dict(result.rejects)) == ({1: 1}, {})
    other = str((base.train_labels[4] + 1) % 10)
    [reject] = merged(base, {1: upload(base.train_images[[4]], other)}).rejects[1]
    assert reject.reason == (
        f"Labeled {other} here, and {label} in the base dataset (training image 4)."
    )


def test_group_keeps_its_images_together(base: Base) -> None:
    result = merged(base, {1: upload(IMAGES, ["3"] * 40, "anna")})
    assert len({row.split for row in result.content.rows()}) == 1
    assert (
        len({row.split for row in merged(base, {1: upload(IMAGES, ["3"] * 40)}).content.rows()}) > 1
    )


def test_image_keeps_the_split_of_an_earlier_version(base: Base) -> None:
    for split in ("train", "validation", "test"):
        splits = dict.fromkeys(DIGESTS, split)
        result = merged(base, {1: upload(IMAGES[:2], "34")}, [person(2, "5")], splits=splits)
        assert {row.split for row in result.content.rows()} == {split}


def test_label_weighs_more_only_in_training(base: Base) -> None:
    for split, weight in (("train", 3), ("validation", 1), ("test", 1)):
        result = merged(base, labels=[person(0, "3")], splits={DIGESTS[0]: split})
        assert [row.weight for row in result.content.rows()] == [weight]


def test_label_takes_the_group_of_its_upload(base: Base) -> None:
    result = merged(base, {1: upload(IMAGES[:1], "3", "anna")}, [person(0, "4", "audit")])
    [row] = result.content.rows()
    assert (row.label, row.source, row.group) == ("4", "audit", "anna")
    assert row.split == result.content.uploaded[DIGESTS[0]].split


def test_withdrawn_label_leaves(base: Base) -> None:
    parent = merged(base, labels=[person(0, "3"), person(1, "4")]).content
    result = merged(base, labels=[person(1, "4")], parent=parent)
    assert [row.digest for row in result.content.rows()] == [DIGESTS[1]]
    assert list(result.content.pixels) == [DIGESTS[1]]


def test_images_of_a_new_base_leave(base: Base) -> None:
    parent = merged(base, {1: upload(base.test_images[:0], "")}).content
    rows = merged(base, {1: upload(IMAGES[:2], "34")}).content
    moved = {DIGESTS[0]: 0}
    other = Base(**{**vars(base), "test_index": moved})
    assert parent.rows() == []
    assert [row.digest for row in merged(other, parent=rows).content.rows()] == [DIGESTS[1]]


@pytest.mark.parametrize(
    ("label_source", "source"),
    [
        ("volunteered", "correction"),
        ("confirmed", "correction"),
        ("disagreement", "audit"),
        ("random", "audit"),
        ("novel", "audit"),
    ],
)
def test_label_source_decides_the_source(label_source: str, source: str) -> None:
    assert source_of(label_source) == source
