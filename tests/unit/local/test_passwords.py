"""Password files of `make secrets`: created once, private, and valid for the service."""

import stat
from pathlib import Path

from inference.server import api_keys
from local import passwords


def test_make_creates_files_once_in_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = passwords.make(folder)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == set(before)
    assert passwords.make(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_make_creates_api_key_that_service_accepts(tmp_path: Path) -> None:
    passwords.make(tmp_path)
    keys = api_keys.ApiKeys(tmp_path / passwords.KEYS)
    assert keys.accepts((tmp_path / passwords.KEY).read_text().strip().encode())
    assert not keys.accepts(b"another")
