"""Checks: classes, contamination and drift."""

from dataclasses import replace

import numpy as np
import pytest

from inference.preprocessing.digits import pixel_digest
from pipeline.data import checks
from pipeline.data.base import load_base
from pipeline.data.checks import InvalidDataError
from pipeline.data.dataset import StoredDataset
from pipeline.data.rows import Content, Row
from tests.support.learning_data import different_digits, write_base
from training import task

TASK = task.read("mnist")
IMAGES, NUMBERS = different_digits(40, 3)
DIGESTS = [pixel_digest(np.ascontiguousarray(image)) for image in IMAGES]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> StoredDataset:
    """The base with 40 uploaded images."""
    base = load_base({"MNIST_PATH": str(write_base(tmp_path_factory.mktemp("base") / "mnist.npz"))})
    rows = {
        digest: Row(digest, str(number), "train" if index % 2 else "test", 1, "upload")
        for index, (digest, number) in enumerate(zip(DIGESTS, NUMBERS, strict=True))
    }
    pixels = dict(zip(DIGESTS, (image.tobytes() for image in IMAGES), strict=True))
    record = {"classes": list(TASK.labels)}
    return StoredDataset(record, TASK, base, Content(base.sha256, rows, pixels=pixels))


def with_image(dataset: StoredDataset, digest: str, pixels: bytes) -> StoredDataset:
    """Return the dataset with one more training image."""
    content = dataset.content
    row = Row(digest, "3", "train", 1, "upload")
    return replace(
        dataset,
        content=replace(
            content,
            uploaded={**content.uploaded, digest: row},
            pixels={**content.pixels, digest: pixels},
        ),
    )


def test_training_images_are_counted_by_class(dataset: StoredDataset) -> None:
    per_class = checks.check_classes(dataset)
    assert sum(per_class.values()) == 550 + 20
    assert list(per_class) == list(TASK.labels)


def test_dataset_of_other_classes_is_invalid(dataset: StoredDataset) -> None:
    with pytest.raises(InvalidDataError, match="has the classes even, odd, but the task mnist"):
        checks.check_classes(replace(dataset, record={"classes": ["even", "odd"]}))


def test_added_images_that_are_not_tested_with_pass(dataset: StoredDataset) -> None:
    checks.check_contamination(dataset)


def test_training_on_a_test_image_is_invalid(dataset: StoredDataset) -> None:
    digest, index = next(iter(dataset.base.test_index.items()))
    image = dataset.base.test_images[index].tobytes()
    with pytest.raises(InvalidDataError, match=f"image {digest} is in the split train"):
        checks.check_contamination(with_image(dataset, digest, image))
    with pytest.raises(InvalidDataError, match="among the test images"):
        checks.check_contamination(with_image(dataset, "0" * 64, image))


def test_usual_digits_have_no_warning(dataset: StoredDataset) -> None:
    per_class = dict.fromkeys(TASK.labels, 100)
    assert checks.find_warnings(dataset, per_class) == []


def test_small_digits_and_small_classes_are_warnings(dataset: StoredDataset) -> None:
    small = IMAGES.copy()
    small[:, :10] = small[:, 16:] = 0
    pixels = dict(zip(DIGESTS, (image.tobytes() for image in small), strict=True))
    changed = replace(
        dataset,
        content=replace(dataset.content, pixels=pixels, conflicts={"0" * 64: "Labeled 3 and 4."}),
    )
    warnings = checks.find_warnings(changed, {"3": 99, "4": 100})
    assert [text.split(" of ")[0].split(" because ")[0] for text in warnings] == [
        "The class 3 has only 99 training images.",
        "Images left out",
        "The share",
        "The longer side in pixels",
    ]
