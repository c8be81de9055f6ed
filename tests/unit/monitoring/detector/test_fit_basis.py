"""Command that fits a basis."""

from pathlib import Path

import numpy as np
import pytest

from monitoring.detector import fit_basis
from monitoring.detector.basis import Basis
from tests.support.drift import draw_digits


def test_command_fits_on_training_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = draw_digits(100, seed=1)[0]
    np.savez(tmp_path / "mnist.npz", x_train=images)
    assert fit_basis.main(["mine", str(tmp_path / "mnist.npz"), "--out", str(tmp_path)]) == 0
    with np.load(tmp_path / "mine.npz") as arrays:
        written = Basis(arrays["mean"], arrays["components"])
    assert written == Basis.fit(images)
    assert written.digest in capsys.readouterr().out


def test_command_without_training_images_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    assert fit_basis.main(["mine", str(tmp_path / "other.npz"), "--out", str(tmp_path)]) == 1
    assert "Name an mnist.npz" in capsys.readouterr().err
