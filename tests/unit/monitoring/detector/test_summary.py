"""Summary of a block."""

import numpy as np
import pytest

from monitoring.detector import Observations, PathReference, summarize
from tests.support.drift import observe_digits


def test_summary_has_means_counts_and_estimated_accuracy(reference: PathReference) -> None:
    observations, correct = observe_digits(1000, seed=3)
    summary = summarize(reference, observations)
    assert summary.means.shape == (16,)
    assert summary.means[1] == pytest.approx(observations.pixels.mean(), abs=0.01)
    assert summary.label_counts.tolist() == np.bincount(observations.classes).tolist()
    assert summary.estimated_accuracy == pytest.approx(correct.mean(), abs=0.015)


def test_estimated_accuracy_is_lower_for_unsure_images(
    reference: PathReference, others: Observations
) -> None:
    highest = others.probabilities.max(axis=1)
    unsure, sure = (others[np.argsort(highest)[part]] for part in (slice(100), slice(-100, None)))
    low, high = (summarize(reference, part).estimated_accuracy for part in (unsure, sure))
    assert low is not None
    assert high is not None
    assert low < 0.95 < high


def test_summary_without_calibration_has_no_accuracy(others: Observations) -> None:
    assert summarize(PathReference.fit(others), others).estimated_accuracy is None


def test_summary_of_no_images(reference: PathReference, others: Observations) -> None:
    summary = summarize(reference, others[:0])
    assert np.isnan(summary.means).all()
    assert summary.label_counts.tolist() == [0] * 10
    assert summary.estimated_accuracy is None
