"""Predictions: class indices of many canonical images, a byte each, and the time per image."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.runtime.network import BATCH, Network

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]

NO_LABEL = 255  # the network's output is not finite
MAX_CLASSES = NO_LABEL
BLOCK = 64 * BATCH  # images: 3 MB as float32, so that a block stays in the processor's cache
TIMED_IMAGES, TIMED_ROUNDS = 256, 9


def predict_labels(
    network: Network, images: Images, on_progress: Callable[[int], None] | None = None
) -> Labels:
    """Return the index of the most probable class of each image, uint8 of shape (n,).

    An image's index does not depend on the other images. It is NO_LABEL where the output is not
    finite. The first of equally probable classes wins, as in the service.

    Args:
        network: a network of at most 255 classes.
        images: canonical pixels, uint8 of shape (n, 28, 28). A memory map is read block by block.
        on_progress: called with the number of finished images after each block.

    """
    labels = np.empty(len(images), np.uint8)
    for start, block in _blocks(images):
        probabilities = network.probabilities(block)
        finite = np.isfinite(probabilities).all(axis=1)
        labels[start : start + len(block)] = np.where(finite, probabilities.argmax(1), NO_LABEL)
        if on_progress is not None:
            on_progress(start + len(block))
    return labels


def seconds_per_image(networks: Sequence[Network], images: Images) -> list[float]:
    """Return the processor time of each network for one image, in seconds.

    An interpreter runs in the calling thread, so this is its time on a machine without other work.
    The networks take turns, and the shortest of several rounds counts. `images` are uint8 of shape
    (n, 28, 28), at least one.
    """
    block = np.ascontiguousarray(images[:TIMED_IMAGES])
    shortest = [float("inf")] * len(networks)
    for _ in range(TIMED_ROUNDS):
        for index, network in enumerate(networks):
            started = time.thread_time()
            network.probabilities(block)
            seconds = (time.thread_time() - started) / len(block)
            shortest[index] = min(shortest[index], seconds)
    return shortest


def _blocks(images: Images) -> Iterator[tuple[int, Images]]:
    for start in range(0, len(images), BLOCK):
        yield start, np.ascontiguousarray(images[start : start + BLOCK])
