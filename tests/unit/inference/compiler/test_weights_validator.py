"""Weights validator: which HDF5 files are accepted, and the reasons for the others."""

from collections.abc import Callable

import h5py
import numpy as np
import pytest

from inference.compiler.weights_validator import check_weights, first_line
from inference.model_format.safe_open import RejectedModelError
from tests.corpus.keras_models import WEIGHTS, members, weights, with_weights


def test_check_weights_accepts_finite_arrays() -> None:
    check_weights(members()[WEIGHTS])
    check_weights(weights({"a/b": np.zeros((3, 4), np.float32), "c": np.arange(5)}))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([np.nan], np.float32), "NaN or infinity"),
        (np.array([np.inf]), "NaN or infinity"),
        (np.array([b"text"]), "not an array of numbers"),
    ],
)
def test_check_weights_rejects_other_values(array: np.ndarray, reason: str) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        check_weights(weights({"a": array}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.update(x=h5py.SoftLink("/")), "link to other data"),
        (lambda file: file.update(x=h5py.ExternalLink("/x", "/")), "link to other data"),
        (lambda file: file.create_dataset("x", data=[1.0] * 99, compression="gzip"), "compressed"),
        (lambda file: file.create_dataset("x", shape=(10**6,), dtype="f4"), "more data than"),
        (lambda file: file.attrs.update(x=1j), "not a short text or number"),
    ],
)
def test_check_weights_rejects_unusual_files(
    change: Callable[[h5py.File], object], reason: str
) -> None:
    with pytest.raises(RejectedModelError, match=reason):
        check_weights(members(with_weights(change))[WEIGHTS])


def test_check_weights_rejects_other_files() -> None:
    with pytest.raises(RejectedModelError, match="not a valid HDF5 file"):
        check_weights(b"hello")


def test_first_line_is_short_and_never_empty() -> None:
    assert first_line(ValueError("one.\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert len(first_line(ValueError("a" * 1000))) == 200
