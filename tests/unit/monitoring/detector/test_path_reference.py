"""Reference of a path: its parts, and its JSON."""

import json
from typing import Any

import numpy as np
import pytest

from monitoring.detector import (
    FAMILIES,
    THRESHOLDS,
    InvalidReferenceError,
    Observations,
    PathReference,
    State,
    load_basis,
    update,
)
from monitoring.detector.features import PIXEL_FEATURES
from tests.support.drift import observe_digits


@pytest.fixture(scope="module")
def small() -> PathReference:
    """A reference of few digits with the shipped basis, as a file may have it."""
    observations, correct = observe_digits(300, seed=5)
    return PathReference.fit(observations, correct, load_basis("mnist"))


def test_reference_of_too_few_images_raises() -> None:
    with pytest.raises(InvalidReferenceError, match="needs 100 images, not 99"):
        PathReference.fit(observe_digits(99, seed=1)[0])


def test_reference_describes_its_images() -> None:
    observations, correct = observe_digits(300, seed=5)
    found = PathReference.fit(observations, correct)
    assert (found.images, found.classes, found.test_accuracy) == (300, 10, correct.mean())
    assert found.label_counts.tolist() == np.bincount(observations.classes).tolist()
    assert found.shares == pytest.approx((found.label_counts + 1) / 310)
    mean = found.feature_names.index("mean")
    assert found.means[mean] == pytest.approx(observations.pixels.mean(), rel=1e-3)
    assert found.deviations[mean] == pytest.approx(
        observations.pixels.mean(axis=(1, 2)).std(), rel=1e-3
    )


def test_reference_of_traffic_has_no_accuracy() -> None:
    found = PathReference.fit(observe_digits(200, seed=5)[0])
    assert (found.test_accuracy, found.calibration) == (None, None)


def test_feature_names_have_pca_error_only_with_a_basis(small: PathReference) -> None:
    assert PathReference.fit(observe_digits(200, seed=5)[0]).feature_names == PIXEL_FEATURES
    assert small.feature_names == (*PIXEL_FEATURES, "pca_error")
    assert len(small.feature_names) == 16


def test_families_have_names_and_bets(small: PathReference) -> None:
    shape = {
        family: (len(small.names(family)), small.bets_per_feature(family)) for family in FAMILIES
    }
    assert shape == {
        "inputs": (16, 12),
        "novelty": (1, 20),
        "confidence": (2, 12),
        "labels": (10, 4),
    }
    assert small.names("labels")[3] == "class 3"


def test_band_holds_most_images_of_a_class(reference: PathReference, others: Observations) -> None:
    band = reference.band("height")
    heights = reference.input_values(others)[:, reference.feature_names.index("height")]
    low, high = band[others.classes].T
    assert 0.85 < ((heights >= low) & (heights <= high)).mean() <= 1
    assert reference.band("max_probability").shape == (10, 2)
    with pytest.raises(ValueError, match="no feature color"):
        reference.band("color")


def test_reference_returns_from_json_with_equal_evidence(
    small: PathReference, others: Observations
) -> None:
    again = PathReference.from_json(json.loads(json.dumps(small.to_json())))
    assert again.digest == small.digest
    for family in FAMILIES:
        one, other = (
            update(found, family, others, State.start(found, family), THRESHOLDS[family])
            for found in (small, again)
        )
        assert one.evidence.tobytes() == other.evidence.tobytes()


def test_digest_differs_with_the_images(small: PathReference) -> None:
    other = PathReference.fit(*observe_digits(300, seed=6), load_basis("mnist"))
    assert other.digest != small.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 0}, "version 0, not 1"),
        ({"basis": "0" * 64}, "not installed"),
        ({"basis": None}, "other features"),
        ({"features": ["peak"]}, "other features"),
        ({"images": 99}, "too few images"),
        ({"images": "300"}, "too few images"),
        ({"means": [1]}, "a mean and a deviation"),
        ({"means": [float("nan")] * 16}, "finite"),
        ({"label_counts": []}, "number of images for each class"),
        ({"label_counts": [0.5] * 10}, "number of images for each class"),
        ({"label_counts": [-1, 301]}, "add up"),
        ({"label_counts": [100, 100]}, "add up"),
        ({"label_counts": [100, 200]}, "one group for each class"),
        ({"test_accuracy": 98.5}, "from 0 to 1"),
        ({"inputs": {}}, "classes"),
        ({"novelty": None}, "NoneType"),
    ],
)
def test_damaged_reference_raises(
    small: PathReference, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidReferenceError, match=message):
        PathReference.from_json(small.to_json() | change)


@pytest.mark.parametrize("document", [None, [], {}, "text", 3])
def test_other_json_raises(document: object) -> None:
    with pytest.raises(InvalidReferenceError, match="make references"):
        PathReference.from_json(document)
