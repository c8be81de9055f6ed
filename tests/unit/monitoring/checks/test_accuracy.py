"""Accuracy: labels show a worse model, and seldom a usual one."""

import random

from monitoring.checks.accuracy import AccuracyState, examine_labels


def wrong(seed: int, count: int, rate: float) -> list[bool]:
    chance = random.Random(seed)
    return [chance.random() < rate for _ in range(count)]


def test_usual_error_rate_crosses_nothing() -> None:
    crossings = [
        examine_labels(0.98, AccuracyState(), wrong(seed, 300, 0.02)).crossings
        for seed in range(30)
    ]
    assert sum(map(len, crossings)) == 0


def test_five_times_the_errors_cross_within_100_labels() -> None:
    for seed in range(10):
        update = examine_labels(0.98, AccuracyState(), wrong(seed, 200, 0.15))
        assert update.crossings
        assert update.crossings[0] < 120


def test_statistic_starts_again_after_a_crossing() -> None:
    update = examine_labels(0.98, AccuracyState(), [True] * 30)
    assert len(update.crossings) > 1
    assert update.evidence[update.crossings[0] + 1] < update.evidence[update.crossings[0]]


def test_perfect_model_has_no_infinite_evidence() -> None:
    update = examine_labels(1.0, AccuracyState(), [True])
    assert 0 < update.evidence[0] < 3


def test_split_changes_nothing() -> None:
    labels = wrong(1, 100, 0.1)
    whole = examine_labels(0.95, AccuracyState(), labels)
    half = examine_labels(0.95, AccuracyState(), labels[:37])
    stored = AccuracyState.from_list(half.state.to_list())
    assert examine_labels(0.95, stored, labels[37:]).state == whole.state
