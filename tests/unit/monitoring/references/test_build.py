"""Reference of a model on both paths."""

from pathlib import Path

import numpy as np
import pytest

from inference.model_format.card import UNCOMPILED, Card, file_record
from monitoring.detector import InvalidReferenceError
from monitoring.references.build import add_reference, build_reference
from monitoring.references.files import read_reference
from monitoring.references.labeled_images import LabeledImages
from tests.support.drift import draw_digits

CARD = Card.from_document({"experiment": "mine", **UNCOMPILED})


@pytest.fixture(scope="module")
def images() -> LabeledImages:
    return LabeledImages(*draw_digits(150, seed=1))


def predict(pixels: np.ndarray) -> np.ndarray:
    """Return probabilities that depend on the pixels: of the brightest of ten stripes."""
    stripes = pixels.reshape(len(pixels), -1)[:, :780].reshape(len(pixels), 10, 78).mean(axis=2)
    exponents = np.exp(stripes / 20)
    found: np.ndarray = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def test_reference_has_both_paths_of_the_same_model(images: LabeledImages) -> None:
    reference = build_reference(predict, images, "mnist")
    for path, expected in (("as_sent", images), ("framed", images.framed)):
        classes = predict(expected.pixels).argmax(axis=1)
        found = reference[path]
        assert found.images == 150
        assert found.label_counts.tolist() == np.bincount(classes, minlength=10).tolist()
        assert found.test_accuracy == (classes == expected.labels).mean()
        assert found.feature_names[-1] == "pca_error"


def test_task_without_a_basis_leaves_pca_error_out(images: LabeledImages) -> None:
    assert "pca_error" not in build_reference(predict, images, "letters")["as_sent"].feature_names


def test_equal_images_give_equal_bytes(images: LabeledImages) -> None:
    one, other = (build_reference(predict, images, "mnist").to_bytes() for _ in range(2))
    assert one == other


def test_probabilities_that_are_not_finite_raise(images: LabeledImages) -> None:
    with pytest.raises(InvalidReferenceError, match="not finite"):
        build_reference(lambda pixels: predict(pixels) * np.float32(np.nan), images, "mnist")


def test_no_images_raise(images: LabeledImages) -> None:
    none = LabeledImages(images.pixels[:0], images.labels[:0])
    with pytest.raises(InvalidReferenceError, match="no test images"):
        build_reference(predict, none, "mnist")


def test_add_reference_writes_what_the_card_records(images: LabeledImages, tmp_path: Path) -> None:
    card, reason = add_reference(tmp_path, CARD, predict, images)
    assert reason is None
    content = (tmp_path / "reference.json").read_bytes()
    assert Card.read(tmp_path / "card.json") == card
    assert card.files == {"reference.json": file_record(content)}
    found = read_reference(tmp_path)
    assert found is not None
    assert found.to_bytes() == content


@pytest.mark.parametrize("count", [None, 99])
def test_add_reference_without_images_leaves_none(
    images: LabeledImages, tmp_path: Path, count: int | None
) -> None:
    card, _ = add_reference(tmp_path, CARD, predict, images)
    few = None if count is None else LabeledImages(images.pixels[:count], images.labels[:count])
    card, reason = add_reference(tmp_path, card, predict, few)
    assert reason is not None
    assert (dict(card.files), read_reference(tmp_path)) == ({}, None)
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]
