"""Families: each has a threshold."""

from monitoring.detector import FAMILIES, THRESHOLDS


def test_thresholds_cover_all_families() -> None:
    assert tuple(THRESHOLDS) == FAMILIES == ("inputs", "novelty", "confidence", "labels")


def test_labels_have_the_lowest_threshold() -> None:
    assert [THRESHOLDS[family] for family in FAMILIES] == [1e7, 1e7, 1e7, 1e6]
