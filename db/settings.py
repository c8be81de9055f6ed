"""Settings of the database set-up, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servicekit.settings import days, secret

# For local use only: db.password_check rejects it when ports are published to other machines.
DEFAULT_PASSWORD = "pass123"  # noqa: S105


@dataclass(frozen=True)
class Settings:
    """Settings of `python -m db.initialize`.

    The address of Postgres comes from libpq's variables (PGHOST, PGPORT, ...).
    """

    database: str
    data_csv: Path
    data_dir: Path
    app_password: str = field(repr=False)
    read_password: str = field(repr=False)
    web_password: str = field(repr=False)
    pipeline_password: str = field(repr=False)
    wait_seconds: float
    events_keep_days: float | None = None


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings; `doc/data.md` lists the variables.

    A password may also come from the file that its _FILE variable names. Raises ValueError when
    such a file cannot be read, or for an invalid number of days.
    """
    app_password = secret(environ, "MLOPS_APP_PASSWORD") or DEFAULT_PASSWORD
    read_password = secret(environ, "MLOPS_READ_PASSWORD") or DEFAULT_PASSWORD
    return Settings(
        database=environ.get("PGDATABASE", "mlopsdb"),
        data_csv=Path(environ.get("DATA_CSV", "data.csv")),
        data_dir=Path(environ.get("DATA_DIR", "data.d")),
        app_password=app_password,
        read_password=read_password,
        web_password=secret(environ, "MLOPS_WEB_PASSWORD") or read_password,
        pipeline_password=secret(environ, "MLOPS_PIPELINE_PASSWORD") or app_password,
        wait_seconds=float(environ.get("DB_WAIT_SECONDS", "60")),
        events_keep_days=days(environ, "EVENTS_KEEP_DAYS"),
    )
