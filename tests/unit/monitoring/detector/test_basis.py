"""PCA basis: distances by plain arithmetic, and the files of tasks."""

from pathlib import Path

import numpy as np
import pytest

from monitoring.detector import InvalidBasisError, basis, load_basis
from monitoring.detector.basis import BASES, COMPONENTS, Basis, basis_of_digest, write_basis
from tests.support.drift import draw_digits


def test_errors_are_distances_from_the_components() -> None:
    pixels = draw_digits(300, seed=1)[0]
    fitted = Basis.fit(pixels)
    values = pixels.reshape(300, -1) / 255 - fitted.mean
    left = values - values @ fitted.components.T @ fitted.components
    assert fitted.errors(pixels) == pytest.approx(np.sqrt((left**2).sum(axis=1)), abs=1e-4)


def test_components_are_orthonormal_and_explain_most() -> None:
    pixels = draw_digits(300, seed=1)[0]
    fitted = Basis.fit(pixels)
    product = fitted.components @ fitted.components.T
    assert product == pytest.approx(np.eye(COMPONENTS), abs=1e-5)
    whole = np.sqrt(((pixels.reshape(300, -1) / 255 - fitted.mean) ** 2).sum(axis=1))
    assert fitted.errors(pixels).mean() < 0.6 * whole.mean()


def test_error_of_the_mean_itself_is_nearly_0() -> None:
    image = np.full((1, 28, 28), 51, np.uint8)
    fitted = Basis(np.full(784, 0.2, np.float32), np.eye(32, 784, dtype=np.float32))
    assert fitted.errors(image) == pytest.approx([0], abs=1e-3)


@pytest.mark.parametrize("size", [1, 3, 9, 11, 200])
def test_errors_do_not_depend_on_the_block(size: int) -> None:
    pixels = draw_digits(200, seed=2)[0]
    fitted = Basis.fit(pixels)
    parts = [fitted.errors(pixels[at : at + size]) for at in range(0, 200, size)]
    assert np.concatenate(parts).tobytes() == fitted.errors(pixels).tobytes()


def test_basis_of_mnist_is_shipped_and_shared_with_parity() -> None:
    mnist = load_basis("mnist")
    assert mnist is not None
    assert mnist.components.shape == (COMPONENTS, 784)
    assert load_basis("parity") == mnist == basis_of_digest(mnist.digest)
    assert (BASES / "mnist.npz").stat().st_size < 120_000


def test_task_without_basis_has_none() -> None:
    assert load_basis("letters") is None


def test_unknown_digest_raises() -> None:
    with pytest.raises(InvalidBasisError, match="make references"):
        basis_of_digest("0" * 64)


def test_written_basis_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basis, "BASES", tmp_path)
    fitted = Basis.fit(draw_digits(100, seed=1)[0])
    write_basis(fitted, tmp_path / "written.npz")
    assert load_basis("written") == fitted


@pytest.mark.parametrize("kind", ["text", "shape", "type"])
def test_damaged_file_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(basis, "BASES", tmp_path)
    path = tmp_path / f"damaged_{kind}.npz"
    if kind == "text":
        path.write_text("no arrays")
    else:
        values = np.zeros((2, 784), np.float32 if kind == "shape" else np.float64)
        np.savez(path, mean=values[0, : 10 if kind == "shape" else None], components=values)
    with pytest.raises(InvalidBasisError, match="Restore it"):
        load_basis(f"damaged_{kind}")
