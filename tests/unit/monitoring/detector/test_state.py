"""State: its stored numbers."""

import math

import numpy as np
import pytest

from monitoring.detector import FAMILIES, InvalidStateError, PathReference, State


def test_start_has_no_evidence(reference: PathReference) -> None:
    sizes = {family: len(State.start(reference, family).r) for family in FAMILIES}
    assert sizes == {"inputs": 192, "novelty": 20, "confidence": 24, "labels": 40}
    start = State.start(reference, "inputs")
    assert (start.images, start.onset, start.evidence) == (0, 0, 0)


def test_state_returns_from_its_list(reference: PathReference) -> None:
    r = np.random.default_rng(0).exponential(size=20) * 1e-7
    quiet = np.arange(20) + 12_345_000
    again = State.from_list(State(r, quiet, 12_345_678).to_list(), reference, "novelty")
    assert (again.r.tobytes(), again.images) == (r.tobytes(), 12_345_678)
    assert again.quiet.tolist() == quiet.tolist()


def test_onset_is_that_of_the_largest_statistic() -> None:
    assert State(np.array([5.0, 1e7, 3.0]), np.array([900, 850, 100]), 900).onset == 850


def test_evidence_is_the_log_of_the_mean() -> None:
    assert State(np.array([1.0, 199.0]), np.zeros(2, np.int64)).evidence == pytest.approx(2)
    assert State(np.array([0.05, 0.15]), np.zeros(2, np.int64)).evidence == pytest.approx(-1)


@pytest.mark.parametrize(
    "numbers",
    [[], [0.0] * 40, [0.0] * 42, [math.nan] + [0.0] * 40, [0.0] * 40 + [math.inf], [-1.0] * 41],
)
def test_other_numbers_raise(reference: PathReference, numbers: list[float]) -> None:
    assert len(State.start(reference, "novelty").to_list()) == 41
    with pytest.raises(InvalidStateError, match=r"Start it again: State\.start"):
        State.from_list(numbers, reference, "novelty")
