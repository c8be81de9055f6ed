"""Drawn digits as observations, with a model's answers that are made up from their classes."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from monitoring.detector import Basis, Observations, PathReference, tie_of

CLASSES = 10


def draw_digits(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return distinct digits of different sizes, places, angles and shades, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    return np.stack([_draw(str(label), rng) for label in labels.tolist()]), labels


def _draw(text: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    image = Image.new("L", (28, 28))
    font = ImageFont.load_default(size=float(rng.uniform(17, 23)))
    at = tuple(rng.uniform(13, 15, 2).tolist())
    ink = int(rng.integers(200, 256))
    ImageDraw.Draw(image).text(at, text, fill=ink, font=font, anchor="mm")
    return np.asarray(image.rotate(float(rng.normal(0, 8)), Image.Resampling.BILINEAR))


def observe(pixels: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> Observations:
    """Return observations of a model that errs in 3 of 100 images, more often if it is unsure."""
    rng = np.random.default_rng(seed)
    confidence = 1 - rng.beta(0.5, 8, len(labels))
    is_wrong = rng.random(len(labels)) < (1 - confidence) / 2
    classes = np.where(is_wrong, (labels + 1) % CLASSES, labels)
    probabilities = np.repeat((1 - confidence)[:, None] / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(len(labels)), classes] = confidence
    ties = [tie_of(hashlib.sha256(image.tobytes()).hexdigest()) for image in pixels]
    return Observations(
        np.ascontiguousarray(pixels),
        probabilities.argmax(axis=1),
        probabilities.astype(np.float32),
        np.array(ties),
    )


def observe_digits(count: int, seed: int) -> tuple[Observations, NDArray[np.bool_]]:
    """Return drawn digits as observations, and whether the model reads each."""
    pixels, labels = draw_digits(count, seed)
    observations = observe(pixels, labels, seed)
    return observations, observations.classes == labels


def fit_reference(count: int = 2000, seed: int = 1) -> PathReference:
    """Return the reference of drawn digits, with a basis of others."""
    observations, correct = observe_digits(count, seed)
    return PathReference.fit(observations, correct, Basis.fit(draw_digits(500, seed=99)[0]))
