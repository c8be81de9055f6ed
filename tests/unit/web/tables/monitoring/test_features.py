"""Features of recent images: bands by class, shares outside, and unknown references."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.fake_monitoring import make_reference
from tests.support.monitoring_images import digits, strange
from web.data.monitoring.types import RecentImages
from web.tables.monitoring.features import (
    MEANINGS,
    FeatureBands,
    feature_bands,
    feature_table,
    most_unusual,
)


def bands(kind: str = "digits", count: int = 200) -> FeatureBands:
    pixels, labels = digits(count, 3) if kind == "digits" else strange(count, 3)
    found = feature_bands(make_reference(), RecentImages(pixels.tobytes(), tuple(labels)))
    assert found is not None
    return found


def test_ordinary_images_are_outside_as_often_as_expected() -> None:
    assert float(np.mean(bands().outside())) == pytest.approx(0.1, abs=0.04)


def test_changed_images_are_outside() -> None:
    found = bands("strange")
    table = feature_table(found)
    assert table["outside"].iloc[0] > 95
    assert most_unusual(found, ()) == table["feature"].iloc[0]
    assert most_unusual(found, ("pca_error", "lit")) == "lit"


def test_quantiles_rise_and_have_a_meaning() -> None:
    found = bands()
    assert (np.diff(found.bands, axis=2) >= 0).all()
    assert set(found.names) <= set(MEANINGS)
    recent = found.recent(0)
    assert [one is None or len(one) == 5 for one in recent] == [True] * 10


def test_unknown_labels_and_missing_images_are_left_out() -> None:
    pixels, _ = digits(2, 1)
    found = feature_bands(make_reference(), RecentImages(pixels.tobytes(), ("7", "seven")))
    assert found is not None
    assert found.predicted.tolist() == [7]
    empty = feature_bands(make_reference(), RecentImages(b"", ()))
    assert empty is not None
    assert empty.outside().tolist() == [0.0] * len(empty.names)
    assert feature_table(empty)["recent"].isna().all()


def test_reference_of_another_release_is_none() -> None:
    other = replace(make_reference(), sketch={"version": 99})
    assert feature_bands(other, RecentImages(b"", ())) is None
