"""The settings of `make up`: read once from the environment, and turned into the environment of each service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

HOST = "127.0.0.1"  # everything listens here and nowhere else: the default password serves a machine of one's own
DATABASE = "mlopsdb"
OWNER = "postgres"
HIGHEST_PORT = 65535
DEFAULT_PASSWORD = "pass123"  # noqa: S105  # for a machine of one's own, where everything listens on loopback
ROOT = Path(__file__).resolve().parent.parent


class BadSetting(Exception):
    """A variable has a value that cannot be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """Ports are 1..65535 and differ; directories are absolute; `root` is the project's folder."""

    web_port: int
    api_port: int
    db_port: int
    owner_password: str
    app_password: str
    read_password: str
    directory: Path
    root: Path = ROOT

    @property
    def web_url(self) -> str:
        """Address of the dashboard."""
        return f"http://localhost:{self.web_port}"

    @property
    def api_url(self) -> str:
        """Base address of the API."""
        return f"http://localhost:{self.api_port}/api/v1.0"

    @property
    def dsn(self) -> str:
        """libpq URI of the owner, who may do everything."""
        return f"postgresql://{OWNER}:{quote(self.owner_password, safe='')}@localhost:{self.db_port}/{DATABASE}"

    @property
    def shown_dsn(self) -> str:
        """The same for the eye: a password of one's own is not shown, and a shell puts it in."""
        if self.owner_password == DEFAULT_PASSWORD:
            return self.dsn
        return f"postgresql://{OWNER}:$POSTGRES_PASSWORD@localhost:{self.db_port}/{DATABASE}"

    def postgres(self, user: str, password: str) -> dict[str, str]:
        """libpq's variables for one role."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.db_port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGDATABASE": DATABASE,
        }


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables.

    Raises:
        BadSetting: a port is not a number in 1..65535 or named twice, or a password cannot be one.
    """
    ports = {
        name: _port(name, environment.get(name) or default)
        for name, default in (("WEB_PORT", "8501"), ("API_PORT", "9090"), ("DB_PORT", "5432"))
    }
    if len(set(ports.values())) < len(ports):
        named = ", ".join(f"{name}={port}" for name, port in ports.items())
        raise BadSetting(f"WEB_PORT, API_PORT and DB_PORT must differ: {named}")
    return Settings(
        web_port=ports["WEB_PORT"],
        api_port=ports["API_PORT"],
        db_port=ports["DB_PORT"],
        owner_password=_password("POSTGRES_PASSWORD", environment),
        app_password=_password("MLOPS_APP_PASSWORD", environment),
        read_password=_password("MLOPS_READ_PASSWORD", environment),
        directory=(ROOT / (environment.get("LOCAL_DIR") or ".local")).resolve(),
    )


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a program gets of the caller's environment: all but libpq's variables, which may point to another database.

    Whatever proxy there is, the way to this machine leads past it.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PG")}
    for name in ("no_proxy", "NO_PROXY"):
        kept[name] = ",".join(filter(None, (kept.get(name), f"localhost,{HOST}")))
    return kept


def _port(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT:
        return int(text)
    raise BadSetting(f"{name}={text!r} is not a port number (1 to 65535)")


def _password(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name) or DEFAULT_PASSWORD
    if "\n" in value or "\r" in value or "\0" in value:
        raise BadSetting(f"{name} must be a single line")
    return value
