"""Chunk: the part of a scoring that one task computes, in a worker process of any executor.

Images come with the task. Models are kept in the process, by content: a task names its models, and
is repeated with their flatbuffers in a process that does not have them yet.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import ServiceError
from inference.model_format.card import InputSpec
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.network import BATCH, Batch, Network

NO_LABEL = -1  # the network's output is not finite
BLOCK = 32 * BATCH  # images: 1.6 MB as float32, which the models of a chunk take in turn
CACHE_BYTES = 256 * 2**20  # of networks in a process

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class NetworkSpec:
    """A network by content: sha256 (hex) of its flatbuffer, and its signature from the card."""

    digest: str
    classes: int
    input: InputSpec
    output: str


@dataclass(frozen=True)
class ChunkScores:
    """Class indices, int16, and confidences, float32, both of shape (models, images)."""

    labels: NDArray[np.int16]
    confidences: NDArray[np.float32]


@dataclass(frozen=True)
class MissingModels:
    """Specs of the models that the process does not have."""

    specs: tuple[NetworkSpec, ...]


@dataclass(frozen=True)
class ReadImage:
    """Canonical pixels of an image as bytes, and their sha256 (hex), or an error."""

    pixels: bytes | None
    digest: str | None
    error: str | None = None


class NetworkCache:
    """Networks of a process by content, the least recently used ones dropped beyond a size."""

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._networks: OrderedDict[NetworkSpec, Network] = OrderedDict()

    def add(self, spec: NetworkSpec, flatbuffer: bytes) -> None:
        """Load a network. Raises ValueError for another content, and UnservableModelError."""
        if spec in self._networks:
            return
        if hashlib.sha256(flatbuffer).hexdigest() != spec.digest:
            raise ValueError(f"The flatbuffer is not that of {spec.digest}.")
        self._networks[spec] = Network(flatbuffer, spec.classes, spec.input, spec.output)

    def find(self, specs: Sequence[NetworkSpec]) -> list[Network] | MissingModels:
        """Return networks in order, and drop others beyond the limit."""
        missing = tuple(spec for spec in specs if spec not in self._networks)
        if missing:
            return MissingModels(missing)
        for spec in specs:
            self._networks.move_to_end(spec)
        total = sum(network.bytes for network in self._networks.values())
        while total > self._limit_bytes and len(self._networks) > len(specs):
            _, dropped = self._networks.popitem(last=False)
            total -= dropped.bytes
        return [self._networks[spec] for spec in specs]


_cache = NetworkCache()  # of this process


def score_chunk(
    pixels: Pixels, specs: Sequence[NetworkSpec], flatbuffers: Mapping[str, bytes]
) -> ChunkScores | MissingModels:
    """Return the predictions of models for images, or the models that the process lacks.

    They do not depend on the other images of the chunk.

    Args:
        pixels: canonical pixels, uint8 of shape (n, 28, 28).
        specs: the models.
        flatbuffers: their content by digest, of those that the process may lack.

    """
    for spec in specs:
        if spec.digest in flatbuffers:
            _cache.add(spec, flatbuffers[spec.digest])
    networks = _cache.find(specs)
    return networks if isinstance(networks, MissingModels) else score_images(pixels, networks)


def score_images(pixels: Pixels, networks: Sequence[Network]) -> ChunkScores:
    """Return the predictions of networks for canonical pixels, uint8 of shape (n, 28, 28).

    The first of equally probable classes wins, as in the service.
    """
    labels = np.empty((len(networks), len(pixels)), np.int16)
    confidences = np.empty(labels.shape, np.float32)
    for start in range(0, len(pixels), BLOCK):
        block = slice(start, start + BLOCK)
        batch = Batch(np.ascontiguousarray(pixels[block]))
        for row, network in enumerate(networks):
            probabilities = network.run(batch)
            best = probabilities.argmax(axis=1)
            highest = probabilities[np.arange(len(best)), best]
            if not np.isfinite(probabilities).all():
                is_finite = np.isfinite(probabilities).all(axis=1)
                best = np.where(is_finite, best, NO_LABEL)
                highest = np.where(is_finite, highest, np.nan)
            labels[row, block], confidences[row, block] = best, highest
    return ChunkScores(labels, confidences)


def read_chunk(files: Sequence[bytes]) -> list[ReadImage]:
    """Return encoded images as canonical pixels, as the service reads them, in order."""
    return [_read(data) for data in files]


def _read(data: bytes) -> ReadImage:
    try:
        image = PreprocessedImage.from_bytes(data)
    except ServiceError as error:
        return ReadImage(None, None, error.detail)
    return ReadImage(image.pixels.tobytes(), image.digest)
