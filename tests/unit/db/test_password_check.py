"""What may be published, with which passwords; and where passwords come from."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from db import password_check
from inference.server import api_keys
from local import passwords
from local import settings as local_settings

OWN = dict.fromkeys(password_check.PASSWORDS, "a-password-of-ones-own")
EVERYWHERE = "0.0.0.0"  # noqa: S104  # what it is about


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "db.password_check"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53"])
def test_the_default_passwords_serve_a_machine_of_ones_own(address: str) -> None:
    assert (
        password_check.refusal(address, dict.fromkeys(password_check.PASSWORDS, "pass123")) is None
    )


@pytest.mark.parametrize("name", password_check.PASSWORDS)
@pytest.mark.parametrize("password", ["pass123", ""])
def test_one_default_password_keeps_the_stack_from_others(name: str, password: str) -> None:
    assert f"is the password in {name}." in str(
        password_check.refusal(EVERYWHERE, {**OWN, name: password})
    )


@pytest.mark.parametrize("address", [EVERYWHERE, "192.168.0.7", "8.8.8.8"])
def test_passwords_of_ones_own_may_be_reached_by_others(address: str) -> None:
    assert password_check.refusal(address, OWN) is None


@pytest.mark.parametrize("address", ["localhost", "::", "0.0.0.0/0", "127.0.0.1 ", "0", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert "BIND_ADDRESS" in str(password_check.refusal(address, OWN))


def test_the_guard_says_what_to_do_and_fails() -> None:
    done = run(BIND_ADDRESS=EVERYWHERE, POSTGRES_PASSWORD="x", MLOPS_APP_PASSWORD="y")
    assert (
        done.returncode,
        "MLOPS_READ_PASSWORD" in done.stderr,
        "make secrets" in done.stderr,
    ) == (1, True, True)
    assert run().returncode == 0


def test_the_guard_looks_into_files(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("pass123\n")
    files = {f"{name}_FILE": str(tmp_path / "known") for name in password_check.PASSWORDS}
    assert run(BIND_ADDRESS=EVERYWHERE, **files).returncode == 1
    (tmp_path / "known").write_text("own\n")
    assert run(BIND_ADDRESS=EVERYWHERE, **files).returncode == 0


def test_make_up_refuses_as_the_guard_does() -> None:
    with pytest.raises(local_settings.InvalidSettingError, match="default that everybody knows"):
        local_settings.read({"BIND_ADDRESS": EVERYWHERE})
    settings = local_settings.read({"BIND_ADDRESS": EVERYWHERE, **OWN})
    assert (settings.bind_address, settings.host) == (EVERYWHERE, "127.0.0.1")


def test_secrets_are_made_once_and_their_folder_is_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = passwords.make(folder)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == set(before)
    assert passwords.make(folder) == []
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_key_that_is_made_for_the_dashboard_is_admitted(tmp_path: Path) -> None:
    passwords.make(tmp_path)
    admitted = api_keys.ApiKeys(tmp_path / passwords.KEYS)
    assert admitted.accepts((tmp_path / passwords.KEY).read_text().strip().encode())
    assert not admitted.accepts(b"another")
