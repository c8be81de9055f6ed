"""Reference of one path: what the images of the path, and a model's answers to them, look like."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.basis import (
    PCA_DECIMALS,
    PCA_ERROR,
    Basis,
    InvalidBasisError,
    basis_of_digest,
)
from monitoring.detector.bets import CLASS_BETS, PLACE_BETS, TAIL_BETS
from monitoring.detector.calibration import Calibration
from monitoring.detector.confidence import CONFIDENCE_FEATURES, confidence_features
from monitoring.detector.families import CONFIDENCE, INPUTS, LABELS, NOVELTY
from monitoring.detector.features import DECIMALS, PIXEL_FEATURES, pixel_features
from monitoring.detector.grid import Grid
from monitoring.detector.novelty import NoveltyModel, rounded
from monitoring.detector.observations import Observations

VERSION = 1  # of the file; raise it when a feature, a grid or a bet changes
MIN_IMAGES = 100
MAX_CLASSES = 1000
Values = NDArray[np.float64]


class InvalidReferenceError(ValueError):
    """A reference cannot be made or read. The message says why and what to do."""


@dataclass(frozen=True)
class PathReference:
    """Reference of one path for one model version.

    Attributes:
        classes: number K of classes.
        images: number of images it was made of.
        feature_names: names of the F input features.
        inputs, confidence: grids of the input features and of the two confidence features.
        novelty_model, novelty: distance within a class, and the pooled grid of the distances.
        means, deviations: mean and standard deviation of each input feature over all images, F.
        label_counts: number of images by predicted class, K int64.
        test_accuracy: 0 to 1, None without true labels.
        calibration: confidence to accuracy, None without true labels.
        basis: PCA basis of `pca_error`, None if the task has none.

    """

    classes: int
    images: int
    feature_names: tuple[str, ...]
    inputs: Grid
    novelty_model: NoveltyModel
    novelty: Grid
    confidence: Grid
    means: Values
    deviations: Values
    label_counts: NDArray[np.int64]
    test_accuracy: float | None
    calibration: Calibration | None
    basis: Basis | None

    @classmethod
    def fit(
        cls,
        observations: Observations,
        correct: NDArray[np.bool_] | None = None,
        basis: Basis | None = None,
    ) -> "PathReference":
        """Return the reference of test images, or of traffic (`correct` is None).

        `correct` says whether each prediction is right, N booleans. `basis` is `load_basis(task)`.
        Raises InvalidReferenceError for fewer than MIN_IMAGES images.
        """
        if len(observations) < MIN_IMAGES:
            raise InvalidReferenceError(
                f"A reference needs {MIN_IMAGES} images, not {len(observations)}. Add images."
            )
        count = observations.probabilities.shape[1]
        classes = observations.classes
        values = input_values(observations, basis)
        confidence = confidence_features(observations.probabilities)
        # An image is always near itself: the distance is fitted on one half, ranked on the other.
        half, other = slice(0, None, 2), slice(1, None, 2)
        model = NoveltyModel.fit(values[half], classes[half], count)
        distances = model.novelty(values[other], classes[other])
        return cls(
            count,
            len(observations),
            feature_names(basis),
            Grid.fit(values, classes, count),
            model,
            Grid.fit_pooled(distances[:, None]),
            Grid.fit(confidence, classes, count),
            rounded(values.mean(axis=0)),
            rounded(values.std(axis=0)),
            np.bincount(classes, minlength=count),
            None if correct is None else float(np.mean(correct)),
            None if correct is None else Calibration.fit(confidence[:, 0], correct),
            basis,
        )

    @property
    def shares(self) -> Values:
        """The usual share of each predicted class, K, between 0 and 1."""
        shares: Values = (self.label_counts + 1.0) / (self.images + self.classes)
        return shares

    def names(self, family: str) -> tuple[str, ...]:
        """Return the names of a family's features, in the order of its bets."""
        return {
            INPUTS: self.feature_names,
            NOVELTY: (NOVELTY,),
            CONFIDENCE: CONFIDENCE_FEATURES,
            LABELS: tuple(f"class {index}" for index in range(self.classes)),
        }[family]

    def bets_per_feature(self, family: str) -> int:
        """Return the number of bets on each feature of a family."""
        counts = {NOVELTY: PLACE_BETS + TAIL_BETS, LABELS: CLASS_BETS}
        return counts.get(family, PLACE_BETS)

    def input_values(self, observations: Observations) -> Values:
        """Return the rounded input features of N images, N x F."""
        return input_values(observations, self.basis)

    def band(self, name: str, low: float = 0.05, high: float = 0.95) -> Values:
        """Return two quantiles of an input or confidence feature in each class, K x 2.

        Raises ValueError for a name or a quantile that the reference does not have.
        """
        for names, grid in (
            (self.feature_names, self.inputs),
            (CONFIDENCE_FEATURES, self.confidence),
        ):
            if name in names:
                return grid.band(names.index(name), low, high)
        raise ValueError(f"The reference has no feature {name}.")

    @property
    def digest(self) -> str:
        """The sha256 (hex) of the JSON."""
        text = json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        return {
            "version": VERSION,
            "images": self.images,
            "features": list(self.feature_names),
            "basis": None if self.basis is None else self.basis.digest,
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "label_counts": self.label_counts.tolist(),
            "test_accuracy": self.test_accuracy,
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "inputs": self.inputs.to_json(),
            "novelty_model": self.novelty_model.to_json(),
            "novelty": self.novelty.to_json(),
            "confidence": self.confidence.to_json(),
        }

    @classmethod
    def from_json(cls, document: Any) -> "PathReference":
        """Return the reference in a JSON object. Raises InvalidReferenceError."""
        try:
            return cls._from_json(document)
        except InvalidBasisError as error:
            raise InvalidReferenceError(str(error)) from error
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise InvalidReferenceError(
                f"The reference is damaged or of another version: {error}. "
                "Write it again (make references)."
            ) from error

    @classmethod
    def _from_json(cls, document: Any) -> "PathReference":
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}, not {VERSION}")
        basis = None if document["basis"] is None else basis_of_digest(document["basis"])
        names, images = tuple(document["features"]), document["images"]
        means, deviations = (np.array(document[key], np.float64) for key in ("means", "deviations"))
        labels = np.array(document["label_counts"])
        accuracy, calibration = document["test_accuracy"], document["calibration"]
        if names != feature_names(basis):
            raise ValueError("it has other features")
        if type(images) is not int or images < MIN_IMAGES:
            raise ValueError("it has too few images")
        if not means.shape == deviations.shape == (len(names),):
            raise ValueError("it needs a mean and a deviation for each feature")
        if not (np.isfinite(means).all() and np.isfinite(deviations).all()):
            raise ValueError("means and deviations must be finite")
        if labels.ndim != 1 or labels.dtype.kind != "i" or not 1 <= len(labels) <= MAX_CLASSES:
            raise ValueError("it has no number of images for each class")
        if labels.min() < 0 or labels.sum() != images:
            raise ValueError("the images of the classes must add up")
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise ValueError("the test accuracy must be from 0 to 1")
        count = len(labels)
        return cls(
            count,
            images,
            names,
            Grid.from_json(document["inputs"], len(names), count),
            NoveltyModel.from_json(document["novelty_model"], len(names), count),
            Grid.from_json(document["novelty"], 1, 1),
            Grid.from_json(document["confidence"], len(CONFIDENCE_FEATURES), count),
            means,
            deviations,
            labels.astype(np.int64),
            accuracy,
            None if calibration is None else Calibration.from_json(calibration),
            basis,
        )


def feature_names(basis: Basis | None) -> tuple[str, ...]:
    """Return the names of the input features with a basis, or without one."""
    return PIXEL_FEATURES if basis is None else (*PIXEL_FEATURES, PCA_ERROR)


def input_values(observations: Observations, basis: Basis | None) -> Values:
    """Return the input features of N images, N x F, rounded as the reference holds them."""
    return observations.shared(basis, lambda: _input_values(observations, basis))


def _input_values(observations: Observations, basis: Basis | None) -> Values:
    values = pixel_features(observations.pixels)
    columns = [
        np.round(values[:, index], decimals) for index, decimals in enumerate(DECIMALS.values())
    ]
    if basis is not None:
        columns.append(np.round(basis.errors(observations.pixels), PCA_DECIMALS))
    return np.stack(columns, axis=1)
