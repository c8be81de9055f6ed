"""Backup: digests of the model files."""

import hashlib
from pathlib import Path

from local.backup.create import model_digests


def test_model_digests_leave_out_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "1").mkdir(parents=True)
    (tmp_path / "a" / "1" / "model.tflite").write_bytes(b"1")
    (tmp_path / "a" / "1" / ".mirror.json").write_bytes(b"{}")
    (tmp_path / ".mirror-status.json").write_bytes(b"{}")
    assert model_digests(tmp_path) == {"a/1/model.tflite": hashlib.sha256(b"1").hexdigest()}
