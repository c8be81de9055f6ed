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
from monitoring.detector.novelty import NoveltyModel
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
        shares: share of each predicted class, K, above 0.
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
    shares: Values
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
        labels = np.bincount(classes, minlength=count)
        return cls(
            count,
            len(observations),
            feature_names(basis),
            Grid.fit(values, classes, count),
            model,
            Grid.fit_pooled(distances[:, None]),
            Grid.fit(confidence, classes, count),
            np.round((labels + 1.0) / (len(classes) + count), 6),
            None if correct is None else float(np.mean(correct)),
            None if correct is None else Calibration.fit(confidence[:, 0], correct),
            basis,
        )

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
            "shares": self.shares.tolist(),
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
        shares = np.array(document["shares"], np.float64)
        accuracy, calibration = document["test_accuracy"], document["calibration"]
        if names != feature_names(basis):
            raise ValueError("it has other features")
        if type(images) is not int or images < MIN_IMAGES:
            raise ValueError("it has too few images")
        if shares.ndim != 1 or not 1 <= len(shares) <= MAX_CLASSES:
            raise ValueError("it has no shares of the classes")
        if not ((shares > 0) & (shares < 1)).all():
            raise ValueError("a share of a class must be between 0 and 1")
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise ValueError("the test accuracy must be from 0 to 1")
        count = len(shares)
        return cls(
            count,
            images,
            names,
            Grid.from_json(document["inputs"], len(names), count),
            NoveltyModel.from_json(document["novelty_model"], len(names), count),
            Grid.from_json(document["novelty"], 1, 1),
            Grid.from_json(document["confidence"], len(CONFIDENCE_FEATURES), count),
            shares,
            accuracy,
            None if calibration is None else Calibration.from_json(calibration),
            basis,
        )


def feature_names(basis: Basis | None) -> tuple[str, ...]:
    """Return the names of the input features with a basis, or without one."""
    return PIXEL_FEATURES if basis is None else (*PIXEL_FEATURES, PCA_ERROR)


def input_values(observations: Observations, basis: Basis | None) -> Values:
    """Return the input features of N images, N x F, rounded as the reference holds them."""
    values = pixel_features(observations.pixels)
    columns = [
        np.round(values[:, index], decimals) for index, decimals in enumerate(DECIMALS.values())
    ]
    if basis is not None:
        columns.append(np.round(basis.errors(observations.pixels), PCA_DECIMALS))
    return np.stack(columns, axis=1)
