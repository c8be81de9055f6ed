"""What the environment says to the set-up of the database, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servicekit.settings import secret

# For a machine of one's own: db.password_check refuses it where others reach the stack
DEFAULT_PASSWORD = "pass123"  # noqa: S105


@dataclass(frozen=True)
class Settings:
    """Settings of `python -m db.initialize`.

    Where Postgres is comes from libpq's own variables (PGHOST, PGPORT, ...).
    """

    database: str
    data_csv: Path
    data_dir: Path
    app_password: str = field(repr=False)
    read_password: str = field(repr=False)
    wait_seconds: float


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read PGDATABASE, DATA_CSV, DATA_DIR, DB_WAIT_SECONDS, and MLOPS_APP_PASSWORD and
    MLOPS_READ_PASSWORD or their _FILE.

    Raises ValueError for a file that cannot be read.
    """
    return Settings(
        database=environ.get("PGDATABASE", "mlopsdb"),
        data_csv=Path(environ.get("DATA_CSV", "data.csv")),
        data_dir=Path(environ.get("DATA_DIR", "data.d")),
        app_password=secret(environ, "MLOPS_APP_PASSWORD") or DEFAULT_PASSWORD,
        read_password=secret(environ, "MLOPS_READ_PASSWORD") or DEFAULT_PASSWORD,
        wait_seconds=float(environ.get("DB_WAIT_SECONDS", "60")),
    )
