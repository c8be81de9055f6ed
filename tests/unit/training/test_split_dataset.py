"""Split dataset: parts, digest, folds and validation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import split_dataset
from training.dataset import InvalidDatasetError

CLASSES = ("even", "odd")


def arrays(count: int = 60) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 2).astype(np.uint8)
    return {
        "x_train": images,
        "y_train": labels,
        "split": (np.arange(count) % 6 == 5).astype(np.uint8),
        "x_test": images[:20],
        "y_test": labels[:20],
        "classes": np.array(CLASSES),
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    np.savez(path, **content)
    return path


def test_load_takes_the_parts_from_split(tmp_path: Path) -> None:
    content = arrays()
    data = split_dataset.load(write(tmp_path / "a.npz", content), CLASSES)
    validation = content["split"] == 1
    assert (len(data.train.labels), len(data.validation.labels), len(data.test.labels)) == (
        50,
        10,
        20,
    )
    assert np.array_equal(data.train.images, content["x_train"][~validation])
    assert np.array_equal(data.validation.labels, content["y_train"][validation])
    assert data.train.labels.dtype == np.int32


def test_load_keeps_repeated_rows(tmp_path: Path) -> None:
    content = arrays()
    for key in ("x_train", "y_train", "split"):
        content[key] = np.concatenate([content[key], np.repeat(content[key][:1], 2, axis=0)])
    assert len(split_dataset.load(write(tmp_path / "a.npz", content), CLASSES).train.labels) == 52


@pytest.mark.parametrize("key", ["x_train", "y_train", "split", "x_test", "y_test", "classes"])
def test_load_digest_covers_each_array(tmp_path: Path, key: str) -> None:
    content = arrays()
    first = split_dataset.load(write(tmp_path / "a.npz", content), CLASSES).sha256
    assert first == split_dataset.load(write(tmp_path / "b.npz", content), CLASSES).sha256
    classes = CLASSES
    if key == "classes":
        classes = ("even", "uneven")
        content[key] = np.array(classes)
    else:
        content[key] = content[key].copy()
        content[key].flat[0] ^= 1
    assert split_dataset.load(write(tmp_path / "c.npz", content), classes).sha256 != first


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("x_train", np.zeros((60, 28, 28)), "x_train must be uint8"),
        ("x_test", np.zeros((20, 784), np.uint8), "x_test must be uint8"),
        ("y_test", np.zeros(7, np.uint8), "one integer for each image of x_test"),
        ("y_train", np.zeros(60), "one integer for each image of x_train"),
        ("y_train", np.full(60, 2, np.uint8), r"class numbers 0\.\.1"),
        ("split", np.zeros(60, np.int64), "split must hold one uint8"),
        ("split", np.zeros(59, np.uint8), "split must hold one uint8"),
        ("split", np.zeros(60, np.uint8), "both at least once"),
        ("split", np.full(60, 2, np.uint8), "both at least once"),
        ("classes", np.array(["odd", "even"]), "classes are odd, even, but the task has even, odd"),
    ],
)
def test_load_invalid_array_says_which(
    tmp_path: Path, key: str, value: np.ndarray, message: str
) -> None:
    path = write(tmp_path / "a.npz", arrays() | {key: value})
    with pytest.raises(InvalidDatasetError, match=message):
        split_dataset.load(path, CLASSES)


@pytest.mark.parametrize("key", ["split", "classes", "x_train"])
def test_load_missing_array_names_it(tmp_path: Path, key: str) -> None:
    content = arrays()
    del content[key]
    with pytest.raises(InvalidDatasetError, match=f"{key}.*Prepare the dataset again"):
        split_dataset.load(write(tmp_path / "a.npz", content), CLASSES)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_load_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InvalidDatasetError, match="cannot be read as a split dataset"):
        split_dataset.load(tmp_path / "a.npz", CLASSES)


def test_folds_divide_the_training_part(tmp_path: Path) -> None:
    data = split_dataset.load(write(tmp_path / "a.npz", arrays(600)), CLASSES)
    folds = [split_dataset.fold(data, number + 1) for number in range(split_dataset.FOLDS)]
    held_out = [{image.tobytes() for image in part.validation.images} for part in folds]
    assert sum(map(len, held_out)) == len(set().union(*held_out)) == len(data.train.labels)
    assert min(map(len, held_out)) > 60
    for part, held in zip(folds, held_out, strict=True):
        assert not held & {image.tobytes() for image in part.train.images}
        assert len(part.train.labels) + len(held) == len(data.train.labels)
        assert part.test is part.validation


def test_fold_keeps_copies_of_an_image_together(tmp_path: Path) -> None:
    content = arrays()
    content["x_train"][:] = content["x_train"][0]
    data = split_dataset.load(write(tmp_path / "a.npz", content), CLASSES)
    sizes = sorted(len(split_dataset.fold(data, n).validation.labels) for n in range(1, 6))
    assert sizes == [0, 0, 0, 0, 50]
