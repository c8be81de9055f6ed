"""Checkpoints: only a complete file with the same fingerprint is used."""

from pathlib import Path

from tests.support.training import FAST, train
from training import checkpoint
from training.dataset import Dataset


def test_read_with_another_fingerprint_returns_none(data: Dataset, tmp_path: Path) -> None:
    train(FAST, data, tmp_path)
    assert checkpoint.read(tmp_path / "checkpoint.npz", "f") is not None
    assert checkpoint.read(tmp_path / "checkpoint.npz", "g") is None


def test_read_damaged_file_returns_none(data: Dataset, tmp_path: Path) -> None:
    train(FAST, data, tmp_path)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert checkpoint.read(path, "f") is None
