"""What the environment says to the set-up of the database, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Settings of `python -m db.setup`. Where Postgres is comes from libpq's own variables (PGHOST, PGPORT, ...)."""

    database: str
    data_csv: Path
    data_dir: Path
    app_password: str = field(repr=False)
    read_password: str = field(repr=False)
    wait_seconds: float


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read PGDATABASE, DATA_CSV, DATA_DIR, MLOPS_APP_PASSWORD, MLOPS_READ_PASSWORD and DB_WAIT_SECONDS."""
    return Settings(
        database=environ.get("PGDATABASE", "mlopsdb"),
        data_csv=Path(environ.get("DATA_CSV", "data.csv")),
        data_dir=Path(environ.get("DATA_DIR", "data.d")),
        app_password=environ.get("MLOPS_APP_PASSWORD", "pass123"),
        read_password=environ.get("MLOPS_READ_PASSWORD", "pass123"),
        wait_seconds=float(environ.get("DB_WAIT_SECONDS", "60")),
    )
