"""Test images of the base dataset."""

from pathlib import Path

import numpy as np
import pytest

from monitoring.references import labeled_images
from monitoring.references.labeled_images import (
    LabeledImages,
    UnusableImagesError,
    find_file,
    frame,
    name_digits,
    read_test_images,
)
from tests.support.drift import draw_digits

DIGITS = tuple("0123456789")


def write(path: Path, count: int = 30) -> Path:
    pixels, labels = draw_digits(count, seed=1)
    np.savez(path, x_test=pixels, y_test=labels.astype(np.uint8))
    return path


def test_mnist_path_names_the_file(tmp_path: Path) -> None:
    assert find_file({"MNIST_PATH": "some.npz", "KERAS_HOME": str(tmp_path)}) == Path("some.npz")


def test_copy_of_keras_is_found_and_nothing_is_downloaded(tmp_path: Path) -> None:
    environment = {"KERAS_HOME": str(tmp_path)}
    assert find_file(environment) is None
    (tmp_path / "datasets").mkdir()
    write(tmp_path / "datasets" / "mnist.npz")
    assert find_file(environment) == tmp_path / "datasets" / "mnist.npz"


def test_home_directory_has_the_copy_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras" / "datasets").mkdir(parents=True)
    path = write(tmp_path / ".keras" / "datasets" / "mnist.npz")
    assert find_file({}) == path


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (DIGITS, list(DIGITS)),
        (("1", "7"), [None, "1", *[None] * 5, "7", None, None]),
        (("even", "odd"), None),
        (("0", "1", "10"), None),
    ],
)
def test_name_digits(classes: tuple[str, ...], expected: list[str | None] | None) -> None:
    assert name_digits(classes) == expected


def test_labels_are_indices_of_the_classes_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "mnist.npz")
    pixels, digits = draw_digits(30, seed=1)
    images = read_test_images(path, DIGITS, DIGITS[::-1])
    assert (images.labels == 9 - digits).all()
    assert images.pixels.tobytes() == pixels.tobytes()


def test_digits_without_a_class_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "mnist.npz")
    pixels, digits = draw_digits(30, seed=1)
    class_of_digit = ["low", "low", *[None] * 6, "high", "high"]
    images = read_test_images(path, class_of_digit, ("low", "high"))
    chosen = (digits < 2) | (digits > 7)
    assert (images.pixels == pixels[chosen]).all()
    assert (images.labels == (digits[chosen] > 7)).all()


def test_framed_images_keep_their_digit_and_differ_in_pixels() -> None:
    pixels, labels = draw_digits(20, seed=2)
    framed = LabeledImages(pixels, labels).framed
    assert (framed.labels == labels).all()
    assert (framed.pixels != pixels).any(axis=(1, 2)).all()
    rows, columns = (framed.pixels.astype(float).sum(axis=axis) for axis in (2, 1))
    for sums in (rows, columns):  # as MNIST's digits: in a box of 20 pixels, centered by mass
        assert (np.count_nonzero(sums, axis=1) <= 20).all()
        assert sums @ np.arange(28) / sums.sum(axis=1) == pytest.approx(np.full(20, 14), abs=0.6)
    assert (framed.pixels[3] == frame(pixels[3])).all()


def test_framed_images_are_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labeled_images, "FRAMED_IMAGES", 5)
    images = LabeledImages(draw_digits(20, seed=2)[0], np.arange(20))
    assert images.framed.labels.tolist() == [0, 4, 8, 12, 16]
    assert images.framed is images.framed


@pytest.mark.parametrize("kind", ["missing", "text", "no arrays", "shape", "type", "label"])
def test_other_files_raise(tmp_path: Path, kind: str) -> None:
    path, pixels = tmp_path / "mnist.npz", np.zeros((3, 28, 28), np.uint8)
    if kind == "text":
        path.write_text("text")
    elif kind == "no arrays":
        np.savez(path, x_train=pixels)
    elif kind == "shape":
        np.savez(path, x_test=pixels[:2], y_test=np.arange(3))
    elif kind == "type":
        np.savez(path, x_test=pixels.astype(float), y_test=np.arange(3))
    elif kind == "label":
        np.savez(path, x_test=pixels, y_test=np.array([1, 2, 10]))
    with pytest.raises(UnusableImagesError, match="Set MNIST_PATH"):
        read_test_images(path, DIGITS, DIGITS)
