"""Set-up settings: defaults, passwords from files, and passwords in logs."""

from pathlib import Path

import pytest

from db.settings import from_environment


def test_from_environment_without_variables_has_defaults() -> None:
    settings = from_environment({})
    assert (settings.database, settings.data_csv, settings.data_dir) == (
        "mlopsdb",
        Path("data.csv"),
        Path("data.d"),
    )
    assert (settings.app_password, settings.read_password) == ("pass123", "pass123")


def test_from_environment_reads_password_files(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("own\n")
    settings = from_environment({"MLOPS_APP_PASSWORD_FILE": str(tmp_path / "password")})
    assert settings.app_password == "own"
    assert "own" not in repr(settings)


def test_from_environment_missing_password_file_raises_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MLOPS_READ_PASSWORD_FILE"):
        from_environment({"MLOPS_READ_PASSWORD_FILE": str(tmp_path / "none")})


def test_password_of_dashboard_is_by_default_that_of_readers() -> None:
    settings = from_environment({"MLOPS_READ_PASSWORD": "own"})
    assert (settings.read_password, settings.web_password) == ("own", "own")
    assert from_environment({"MLOPS_WEB_PASSWORD": "other"}).web_password == "other"


def test_pipeline_password_defaults_to_that_of_the_service() -> None:
    assert from_environment({"MLOPS_APP_PASSWORD": "own"}).pipeline_password == "own"
    assert from_environment({"MLOPS_PIPELINE_PASSWORD": "other"}).pipeline_password == "other"
