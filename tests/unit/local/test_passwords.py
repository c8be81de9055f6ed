"""Password files of `make secrets`: created once, private, and valid for the service."""

import stat
from pathlib import Path

from inference.server import api_keys
from local import passwords


def test_create_secrets_writes_files_once_in_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    created = passwords.create_secrets(folder)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(created) == set(before)
    assert passwords.create_secrets(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_create_secrets_writes_api_key_that_service_accepts(tmp_path: Path) -> None:
    passwords.create_secrets(tmp_path)
    keys = api_keys.ApiKeys(tmp_path / passwords.API_KEYS_FILE)
    assert keys.accepts((tmp_path / passwords.API_KEY_FILE).read_text().strip().encode())
    assert not keys.accepts(b"another")
