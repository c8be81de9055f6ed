"""Password check: which addresses may be published with which passwords."""

import subprocess
import sys
from pathlib import Path

import pytest

from db import password_check
from local import settings as local_settings

OWN = dict.fromkeys(password_check.PASSWORDS, "an-own-password")
DEFAULT = dict.fromkeys(password_check.PASSWORDS, "pass123")
ALL_INTERFACES = "0.0.0.0"  # noqa: S104  # the address under test


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "db.password_check"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53"])
def test_refusal_default_passwords_on_loopback_is_none(address: str) -> None:
    assert password_check.refusal(address, DEFAULT) is None


@pytest.mark.parametrize("address", [ALL_INTERFACES, "192.168.0.7", "10.0.0.1", "169.254.1.1"])
def test_refusal_default_passwords_off_loopback(address: str) -> None:
    assert "publishes ports" in str(password_check.refusal(address, DEFAULT))


@pytest.mark.parametrize("name", password_check.PASSWORDS)
@pytest.mark.parametrize("password", ["pass123", ""])
def test_refusal_one_default_password_names_variable(name: str, password: str) -> None:
    reason = password_check.refusal(ALL_INTERFACES, {**OWN, name: password})
    assert f"are the public default: {name}." in str(reason)


@pytest.mark.parametrize("address", [ALL_INTERFACES, "192.168.0.7", "8.8.8.8"])
def test_refusal_own_passwords_on_public_address_is_none(address: str) -> None:
    assert password_check.refusal(address, OWN) is None


@pytest.mark.parametrize("address", ["localhost", "::", "0.0.0.0/0", "127.0.0.1 ", "0", ""])
def test_refusal_invalid_address_names_variable(address: str) -> None:
    assert "BIND_ADDRESS" in str(password_check.refusal(address, OWN))


def test_command_refusal_names_remedy_and_fails() -> None:
    done = run(BIND_ADDRESS=ALL_INTERFACES, POSTGRES_PASSWORD="x", MLOPS_APP_PASSWORD="y")
    assert done.returncode == 1
    assert "MLOPS_READ_PASSWORD" in done.stderr
    assert "make secrets" in done.stderr


@pytest.mark.parametrize("name", password_check.OPTIONAL_PASSWORDS)
def test_command_checks_optional_password_if_it_is_stated(name: str) -> None:
    own = {**OWN, "BIND_ADDRESS": ALL_INTERFACES}
    assert run(**own).returncode == 0
    assert run(**own, **{name: ""}).returncode == 0
    done = run(**own, **{name: "pass123"})
    assert f"are the public default: {name}." in done.stderr


def test_command_with_defaults_succeeds() -> None:
    assert run().returncode == 0


def test_command_reads_password_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass123\n")
    files = {f"{name}_FILE": str(tmp_path / "password") for name in password_check.PASSWORDS}
    assert run(BIND_ADDRESS=ALL_INTERFACES, **files).returncode == 1
    (tmp_path / "password").write_text("own\n")
    assert run(BIND_ADDRESS=ALL_INTERFACES, **files).returncode == 0


def test_make_up_applies_password_check() -> None:
    with pytest.raises(local_settings.InvalidSettingError, match="are the public default"):
        local_settings.read({"BIND_ADDRESS": ALL_INTERFACES})
    settings = local_settings.read({"BIND_ADDRESS": ALL_INTERFACES, **OWN})
    assert (settings.bind_address, settings.host) == (ALL_INTERFACES, "127.0.0.1")
