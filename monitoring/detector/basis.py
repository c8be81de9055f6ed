"""PCA basis of a task: the directions in which its images vary.

The distance of an image from them is the feature `pca_error`. A basis is a file of `bases/`, fitted
on training images by `python -m monitoring.detector.fit_basis`. A task without a file has no such
feature. The arithmetic is that of integers, so the distance does not depend on the block.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.observations import SIDE

PCA_ERROR = "pca_error"
PCA_DECIMALS = 3
BASES = Path(__file__).parent / "bases"
SHARED_BASES = {"parity": "mnist"}  # tasks whose images are those of another task
COMPONENTS = 32
MAX_PIXEL = 255
PIXELS = SIDE * SIDE
# Images of one matrix product: BLAS starts threads from 2^18 multiplications on (measured on a busy
# machine: 50 us an image with threads, 4 without).
BLOCK = 10
SCALE = 2.0**20  # 784 products of a pixel and a weight of 2^20 stay below 2^53


class InvalidBasisError(ValueError):
    """A basis is missing or damaged. The message says what to do."""


@dataclass(frozen=True)
class Basis:
    """Mean and principal components of a task's images, as shares of the largest pixel value.

    `mean` is 784 float32 and `components` C x 784 float32, orthonormal rows.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def fit(cls, pixels: NDArray[np.uint8]) -> "Basis":
        """Return the basis of N x 28 x 28 images."""
        values = pixels.reshape(len(pixels), -1).astype(np.float64) / MAX_PIXEL
        mean = values.mean(axis=0)
        values -= mean
        _, vectors = np.linalg.eigh(values.T @ values)  # in ascending order of variance
        components = vectors[:, ::-1][:, :COMPONENTS].T
        return cls(mean.astype(np.float32), np.ascontiguousarray(components, np.float32))

    @property
    def digest(self) -> str:
        """The sha256 (hex) of mean and components, little-endian."""
        content = b"".join(part.astype("<f4").tobytes() for part in (self.mean, self.components))
        return hashlib.sha256(content).hexdigest()

    def errors(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the distance of each of N images from the basis, in largest pixel values."""
        errors = np.empty(len(pixels))
        for start in range(0, len(pixels), BLOCK):
            errors[start : start + BLOCK] = self._errors(pixels[start : start + BLOCK])
        return errors

    def _errors(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        weights, mean_products, mean_square = _weights(self)
        values = pixels.reshape(len(pixels), -1).astype(np.float64)
        products = values @ weights  # whole numbers, exact in any order
        centered = (products[:, :-1] - mean_products) / (SCALE * MAX_PIXEL)
        along = np.cumsum(centered * centered, axis=1)[:, -1]  # in this order, whatever the block
        square = np.einsum("ij,ij->i", values, values) / MAX_PIXEL**2
        whole = square - 2 * products[:, -1] / (SCALE * MAX_PIXEL) + mean_square
        errors: NDArray[np.float64] = np.sqrt(np.maximum(whole - along, 0))
        return errors

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basis) and self.digest == other.digest


@lru_cache(maxsize=8)
def _weights(basis: Basis) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the components and the mean as whole numbers (784 x C+1), and products of the mean.

    The latter are in the units of pixel values times SCALE.
    """
    components = np.rint(basis.components.astype(np.float64) * SCALE)
    mean = np.rint(basis.mean.astype(np.float64) * SCALE)
    mean_products = components @ mean * (MAX_PIXEL / SCALE)
    weights = np.concatenate([components, mean[None]]).T.copy()
    return weights, mean_products, float(mean @ mean) / SCALE**2


@lru_cache(maxsize=16)
def load_basis(task: str) -> Basis | None:
    """Return the basis of a task, None if it has none. Raises InvalidBasisError."""
    path = BASES / f"{SHARED_BASES.get(task, task)}.npz"
    return _read(path) if path.is_file() else None


def basis_of_digest(digest: str) -> Basis:
    """Return the shipped basis of this digest. Raises InvalidBasisError."""
    for path in sorted(BASES.glob("*.npz")):
        basis = load_basis(path.stem)
        if basis is not None and basis.digest == digest:
            return basis
    raise InvalidBasisError(
        f"The PCA basis {digest[:12]} of a reference is not installed. "
        "Write the reference again (make references)."
    )


def write_basis(basis: Basis, path: Path) -> None:
    """Write a basis. Raises OSError."""
    np.savez(path, mean=basis.mean, components=basis.components)


def _read(path: Path) -> Basis:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean, components = arrays["mean"], arrays["components"]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidBasisError(f"{path} is not a PCA basis: {error}. Restore it.") from error
    if (
        mean.shape != (PIXELS,)
        or components.shape != (len(components), PIXELS)
        or {mean.dtype, components.dtype} != {np.dtype(np.float32)}
    ):
        raise InvalidBasisError(f"{path} has arrays of a wrong shape or type. Restore it.")
    return Basis(mean, components)
