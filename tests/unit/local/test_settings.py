"""The settings of `make up`."""

from __future__ import annotations

import pytest

from local import settings


def test_settings_refuse_a_port_that_is_none() -> None:
    with pytest.raises(settings.InvalidSettingError, match="WEB_PORT='web'"):
        settings.read({"WEB_PORT": "web"})


def test_services_do_not_inherit_the_callers_libpq_variables() -> None:
    assert settings.inherited({"PGHOST": "elsewhere", "HOME": "/h"})["HOME"] == "/h"
    assert "PGHOST" not in settings.inherited({"PGHOST": "elsewhere"})


def test_a_password_with_a_line_break_is_refused() -> None:
    with pytest.raises(settings.InvalidSettingError, match="POSTGRES_PASSWORD"):
        settings.read({"POSTGRES_PASSWORD": "a\nb"})


def test_the_three_ports_must_differ() -> None:
    with pytest.raises(settings.InvalidSettingError, match="must differ"):
        settings.read({"WEB_PORT": "9090"})


def test_settings_know_the_line_that_people_use() -> None:
    assert settings.read({}).shown_dsn == "postgresql://postgres:pass123@localhost:5432/mlopsdb"


def test_a_password_of_ones_own_is_not_shown() -> None:
    assert "s3cret" not in settings.read({"POSTGRES_PASSWORD": "s3cret"}).shown_dsn
