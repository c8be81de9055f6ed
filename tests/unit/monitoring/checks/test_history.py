"""History: a row per 100 images or minute, whichever is later, equal for any division."""

import numpy as np

from monitoring.checks.history import Check, History, Measured

SECOND = 1_000_000


def measured(count: int, seconds_each: float, *, drifting: bool = False) -> Measured:
    random = np.random.default_rng(7)
    return Measured(
        times=(np.arange(1, count + 1) * seconds_each * SECOND).astype(np.int64) + 10**15,
        evidence=random.normal(1, 0.3, count),
        classes=random.integers(0, 3, count),
        features=random.random((count, 2)),
        accuracies=random.random(count),
        drifting=np.full(count, drifting),
    )


def part(whole: Measured, slice_: slice) -> Measured:
    accuracies = whole.accuracies
    return Measured(
        whole.times[slice_],
        whole.evidence[slice_],
        whole.classes[slice_],
        whole.features[slice_],
        None if accuracies is None else accuracies[slice_],
        whole.drifting[slice_],
    )


def test_slow_images_make_a_row_per_hundred() -> None:
    _, checks = History.start(3, 2).add(measured(350, 1.0))
    assert [check.position for check in checks] == [100, 200, 300]
    assert [sum(check.label_counts) for check in checks] == [100, 100, 100]


def test_fast_images_make_a_row_per_minute() -> None:
    _, checks = History.start(3, 2).add(measured(5000, 0.02))
    assert [check.position for check in checks] == [100, 3100]


def test_row_has_means_counts_and_estimated_accuracy() -> None:
    whole = measured(100, 1.0)
    _, [check] = History.start(3, 2).add(whole)
    assert np.allclose(check.means, whole.features.mean(axis=0))
    assert check.highest == whole.evidence.max()
    assert check.evidence == whole.evidence[-1]
    assert whole.accuracies is not None
    assert check.estimated_accuracy is not None
    assert np.isclose(check.estimated_accuracy, whole.accuracies.mean())


def test_row_of_a_drift_has_no_estimated_accuracy() -> None:
    _, [check] = History.start(3, 2).add(measured(100, 1.0, drifting=True))
    assert check.estimated_accuracy is None


def test_skipped_images_are_in_the_next_row() -> None:
    history, _ = History.start(3, 2).add(measured(50, 1.0))
    _, [check] = history.skip(9).add(part(measured(100, 1.0), slice(50, None)))
    assert check.skipped == 9


def test_division_changes_no_bit() -> None:
    whole, history = measured(777, 0.9), History.start(3, 2)
    expected, expected_checks = history.add(whole)
    checks: list[Check] = []
    for start in range(0, 777, 41):
        history = History.from_list(history.to_list(), 3)
        history, rows = history.add(part(whole, slice(start, start + 41)))
        checks += [Check(**{**vars(row), "position": row.position + start}) for row in rows]
    assert checks == expected_checks
    assert history.to_list() == expected.to_list()
