"""Training runs: reproducibility, resumption, divergence and loss curves."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.training import FAST, SMALL, train, train_exploding
from training import run
from training.dataset import Dataset


def results(result: run.Run) -> tuple[object, ...]:
    weights = [np.asarray(weight).tobytes() for weight in result.model.get_weights()]
    return result.loss, result.validation_loss, result.scores, weights


def test_train_same_experiment_is_bit_identical(
    small: run.Run, data: Dataset, tmp_path: Path
) -> None:
    assert results(train(SMALL, data, tmp_path)) == results(small)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stop_at", [40, 70, 99]
)  # of 34 steps per epoch: in the second and the third one
def test_train_resumed_run_is_bit_identical(
    small: run.Run, data: Dataset, tmp_path: Path, stop_at: int
) -> None:
    def stop(progress: run.Progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train(SMALL, data, tmp_path / "checkpoint.npz", "f", stop)
    steps: list[int] = []
    resumed = run.train(
        SMALL, data, tmp_path / "checkpoint.npz", "f", lambda progress: steps.append(progress.step)
    )
    assert (results(resumed), steps[0]) == (results(small), stop_at // 34 * 34 + 1)


def test_train_other_seed_gives_other_results(data: Dataset, tmp_path: Path) -> None:
    first, second = (train(replace(FAST, seed=seed), data, tmp_path / str(seed)) for seed in (1, 2))
    assert first.loss.values[0] != second.loss.values[0]


def test_train_halves_the_loss(data: Dataset, tmp_path: Path) -> None:
    result = train(FAST, data, tmp_path)
    assert result.outcome == "finished"
    assert result.loss.values[-1] < result.loss.values[0] / 2


def test_windows_returns_means_at_last_steps() -> None:
    losses = [float(step) for step in range(1, 1202)]  # windows of 3: 1201 is a window of its own
    curve = run.windows(losses)
    assert (curve.steps[:2], curve.values[:2], curve.steps[-1], curve.values[-1]) == (
        (3, 6),
        (2.0, 5.0),
        1201,
        1201.0,
    )


@pytest.mark.parametrize("steps", [50, 499, 500, 501, 1000, 1001, 17180, 99999])
def test_windows_has_50_to_500_points(steps: int) -> None:
    curve = run.windows([1.0] * steps)
    assert 50 <= len(curve.steps) <= 500
    assert curve.steps[-1] == steps


def test_train_diverged_run_stops_and_keeps_finite_losses(data: Dataset, tmp_path: Path) -> None:
    result = train_exploding(data, tmp_path)
    assert (result.outcome, result.scores) == ("diverged", {})
    assert 0 < result.loss.steps[-1] < 3 * 34
    assert all(map(math.isfinite, result.loss.values))
