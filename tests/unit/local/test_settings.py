"""Settings of `make up`."""

from __future__ import annotations

import pytest

from local import settings


def test_read_invalid_port_names_the_variable() -> None:
    with pytest.raises(settings.InvalidSettingError, match="WEB_PORT='web'"):
        settings.read({"WEB_PORT": "web"})


def test_inherited_environment_omits_libpq_variables() -> None:
    assert settings.inherited_environment({"PGHOST": "elsewhere", "HOME": "/h"})["HOME"] == "/h"
    assert "PGHOST" not in settings.inherited_environment({"PGHOST": "elsewhere"})


def test_read_password_with_line_break_raises() -> None:
    with pytest.raises(settings.InvalidSettingError, match="POSTGRES_PASSWORD"):
        settings.read({"POSTGRES_PASSWORD": "a\nb"})


def test_read_equal_ports_raises() -> None:
    with pytest.raises(settings.InvalidSettingError, match="must differ"):
        settings.read({"WEB_PORT": "9090"})


def test_display_dsn_shows_the_default_password() -> None:
    assert settings.read({}).display_dsn == "postgresql://postgres:pass123@localhost:5432/mlopsdb"


def test_display_dsn_hides_other_passwords() -> None:
    assert "s3cret" not in settings.read({"POSTGRES_PASSWORD": "s3cret"}).display_dsn
