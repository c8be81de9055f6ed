"""Novelty: distance of an image from what its predicted class looks like.

The Mahalanobis distance of the features within the class, as a logarithm and standardized by class,
so that classes can be pooled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

MIN_CLASS_IMAGES = 100  # a rarer class is judged by the parameters of all
SHRINKAGE = 0.1  # of the correlations towards 0, so that the matrix can be inverted
MIN_SPREAD = 1e-3  # of a constant feature
SIGNIFICANT_DIGITS = 5
DECIMALS = 4  # of a novelty
MIN_SQUARE = 1e-12
BLOCK = 128  # images; bounds the memory of their factors


@dataclass(frozen=True)
class ClassShape:
    """Mean and spread of F features of a class, and the factor of their inverse correlations.

    `factor` is F x F lower triangular. `center` and `width` are mean and deviation of the
    logarithm of the squared distance.
    """

    mean: Values
    spread: Values
    factor: Values
    center: float
    width: float

    @classmethod
    def fit(cls, values: Values) -> "ClassShape":
        """Return the shape of N x F values."""
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        spread = rounded(deviation + MIN_SPREAD * (np.abs(mean) + 1))
        mean = rounded(mean)
        scores = (values - mean) / spread
        correlations = np.atleast_2d(np.cov(scores.T))
        shrunk = (1 - SHRINKAGE) * correlations + SHRINKAGE * np.eye(len(mean))
        factor = rounded(np.linalg.cholesky(np.linalg.inv(shrunk)))
        logs = _log_distances(values, mean, spread, factor[None])
        width = max(float(logs.std()), MIN_SPREAD)
        center, width = rounded(np.array([logs.mean(), width])).tolist()
        return cls(mean, spread, factor, center, width)


class NoveltyModel:
    """Shapes of the K classes, None for a rare one, and the pooled shape that stands for it."""

    def __init__(self, pooled: ClassShape, shapes: tuple[ClassShape | None, ...]) -> None:
        self.pooled, self.shapes = pooled, shapes
        used = [shape or pooled for shape in shapes]
        self._mean = np.stack([shape.mean for shape in used])
        self._spread = np.stack([shape.spread for shape in used])
        self._factor = np.stack([shape.factor for shape in used])
        self._center = np.array([shape.center for shape in used])
        self._width = np.array([shape.width for shape in used])

    @classmethod
    def fit(cls, values: Values, classes: NDArray[np.int64], count: int) -> "NoveltyModel":
        """Return the model of N x F values with the predicted classes (N), 0 to `count` - 1."""
        members = [values[classes == index] for index in range(count)]
        shapes = tuple(
            ClassShape.fit(part) if len(part) >= MIN_CLASS_IMAGES else None for part in members
        )
        return cls(ClassShape.fit(values), shapes)

    def novelty(self, values: Values, classes: NDArray[np.int64]) -> Values:
        """Return the novelty of N x F values with the predicted classes (N), rounded.

        0 is usual for the class, and 1 is one deviation more.
        """
        out = np.empty(len(values))
        for start in range(0, len(values), BLOCK):
            part = slice(start, start + BLOCK)
            chosen = classes[part]
            logs = _log_distances(
                values[part], self._mean[chosen], self._spread[chosen], self._factor[chosen]
            )
            out[part] = (logs - self._center[chosen]) / self._width[chosen]
        return np.round(out, DECIMALS)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        shapes = [None if shape is None else _document(shape) for shape in self.shapes]
        return {"pooled": _document(self.pooled), "classes": shapes}

    @classmethod
    def from_json(cls, document: Any, features: int, count: int) -> "NoveltyModel":
        """Return the model in a JSON object. Raises ValueError, KeyError and TypeError."""
        shapes = [None if part is None else _shape(part, features) for part in document["classes"]]
        if len(shapes) != count:
            raise ValueError("a novelty model must have one shape for each class")
        return cls(_shape(document["pooled"], features), tuple(shapes))


def _log_distances(values: Values, means: Values, spreads: Values, factors: Values) -> Values:
    """Return the logarithms of the squared distances of N x F values.

    `means` and `spreads` are F or N x F, `factors` 1 x F x F or N x F x F.
    """
    scores = (values - means) / spreads
    along = np.zeros_like(scores)
    for index in range(scores.shape[1]):  # no matrix product: its rounding depends on the block
        along += scores[:, index, None] * factors[:, index]
    squares = np.cumsum(along * along, axis=1)[:, -1]
    logs: Values = np.log(np.maximum(np.ascontiguousarray(squares), MIN_SQUARE))
    return logs


def rounded(values: Values) -> Values:
    """Return values of five significant digits, as the reference file holds them."""
    texts = [f"{value:.{SIGNIFICANT_DIGITS}g}" for value in values.ravel().tolist()]
    return np.array(texts, np.float64).reshape(values.shape)


def _document(shape: ClassShape) -> dict[str, Any]:
    lower = shape.factor[np.tril_indices(len(shape.mean))]
    return {
        "mean": shape.mean.tolist(),
        "spread": shape.spread.tolist(),
        "factor": lower.tolist(),
        "center": shape.center,
        "width": shape.width,
    }


def _shape(document: Any, features: int) -> ClassShape:
    mean, spread, lower = (
        np.array(document[key], np.float64) for key in ("mean", "spread", "factor")
    )
    center, width = float(document["center"]), float(document["width"])
    if mean.shape != (features,) or spread.shape != (features,):
        raise ValueError("a class needs a mean and a spread for each feature")
    factor = np.zeros((features, features))
    factor[np.tril_indices(features)] = lower
    if not all(np.isfinite(part).all() for part in (mean, spread, factor)):
        raise ValueError("a class must have finite numbers")
    if not (np.isfinite(center) and width > 0 and (spread > 0).all()):
        raise ValueError("a class must have positive spreads and a positive width")
    return ClassShape(mean, spread, factor, center, width)
