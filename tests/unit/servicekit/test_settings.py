"""Settings helpers: where secrets and host names come from."""

from pathlib import Path

import pytest

from servicekit.settings import days, host_names, secret


def test_secret_file_wins_over_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from a file\n")
    environment = {"PGPASSWORD": "from the environment"}
    with_file = {**environment, "PGPASSWORD_FILE": str(tmp_path / "file")}
    assert secret(environment, "PGPASSWORD") == "from the environment"
    assert secret(with_file, "PGPASSWORD") == "from a file"
    assert secret({}, "PGPASSWORD") is None


def test_secret_file_missing_is_an_error(tmp_path: Path) -> None:
    environment = {"PGPASSWORD": "unused", "PGPASSWORD_FILE": str(tmp_path / "missing")}
    with pytest.raises(ValueError, match=r"PGPASSWORD_FILE=.*cannot be read"):
        secret(environment, "PGPASSWORD")


def test_host_names_are_split_and_lowered() -> None:
    assert host_names({"ALLOWED_HOSTS": "ML.example.org, b.example  c"}) == {
        "ml.example.org",
        "b.example",
        "c",
    }
    assert host_names({}) == frozenset()


def test_days_are_positive_numbers() -> None:
    assert days({}, "KEEP_DAYS") is None
    assert days({"KEEP_DAYS": ""}, "KEEP_DAYS") is None
    assert days({"KEEP_DAYS": "0.5"}, "KEEP_DAYS") == 0.5
    for text in ("0", "-1", "nan", "inf", "36501", "many"):
        with pytest.raises(ValueError, match="KEEP_DAYS must be a number of days"):
            days({"KEEP_DAYS": text}, "KEEP_DAYS")
