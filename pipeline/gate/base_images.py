"""Base-test: the test images of the base dataset with the classes of a task.

They are always the same, whatever people label: results of different runs are comparable.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from inference.preprocessing.digits import pixel_digest
from pipeline.data.base import class_of_digit, load_base
from pipeline.gate.evidence import BASE_TEST
from pipeline.gate.image_sets import LabeledImages
from training.task import read


@dataclass(frozen=True)
class BaseImages:
    """Test images of the base dataset, and the digests of its training images."""

    test: LabeledImages
    trained: Collection[str]


def read_base(task: str) -> BaseImages:
    """Read the base dataset. Images of digits without a class of the task are left out.

    Raises UnusableBaseError and InvalidTaskError.
    """
    base, classes = load_base(), class_of_digit(read(task))
    labels = [classes[digit] for digit in base.test_labels.tolist()]
    kept = [index for index, label in enumerate(labels) if label is not None]
    pixels = np.ascontiguousarray(base.test_images[kept])
    test = LabeledImages(
        BASE_TEST,
        tuple(pixel_digest(image) for image in pixels),
        tuple(label for label in labels if label is not None),
        pixels,
    )
    return BaseImages(test, base.train_index.keys())
