"""Models for tests of predictions: versions with networks that need no file."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from inference.model_format.card import MNIST_INPUT
from inference.models.catalog import ModelCatalog, Unresolved
from inference.models.version import ModelVersion, State
from inference.prediction.results import LoadedModel
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.network import Batch, Network

LABELS = ("x", "y")


class FakeNetwork:
    """A network that gives the same row for each image; it records the sizes of its batches."""

    def __init__(
        self,
        row: tuple[float, ...] = (0.25, 0.75),
        *,
        serial: int = 1,
        seconds_per_image: float = 0.0,
    ) -> None:
        self._row = row
        self.serial = serial
        self.seconds_per_image = seconds_per_image
        self.batches: list[int] = []

    def run(self, batch: Batch) -> NDArray[np.float32]:
        count = len(batch.to_input(MNIST_INPUT))
        self.batches.append(count)
        return np.array([self._row] * count, np.float32)


class FakeRepository:
    """A model repository of a fixed catalog."""

    def __init__(self, *versions: ModelVersion) -> None:
        self._catalog = ModelCatalog(versions)

    def snapshot(self) -> ModelCatalog:
        return self._catalog

    def select(self, names: Sequence[str]) -> list[ModelVersion | Unresolved]:
        return self._catalog.select(names)

    def resolve(self, name: str) -> tuple[ModelVersion, Network]:
        return self._catalog.find(name).resolve()


def make_version(name: str = "a", **changes: Any) -> ModelVersion:
    """Return a version that is READY and reads two classes."""
    usual: dict[str, Any] = {"state": State.READY, "digest": "d" * 64, "classes": LABELS}
    return ModelVersion(name, **{**usual, **changes})


def loaded(name: str = "a", network: FakeNetwork | None = None, **changes: Any) -> LoadedModel:
    """Return a version with its network in memory."""
    return LoadedModel(make_version(name, **changes), cast("Network", network or FakeNetwork()))


def image(value: int) -> PreprocessedImage:
    """Return an image of a stroke, with one pixel of this value."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[6:22, 12:16] = 255
    pixels[14, 14] = value
    return PreprocessedImage.from_array(pixels)
