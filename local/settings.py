"""The settings of `make up`.

Read once from the environment, and turned into the environment of each service.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from db.password_check import PASSWORDS, refusal
from db.settings import DEFAULT_PASSWORD
from servicekit.settings import secret

HOST = "127.0.0.1"  # everything listens here and nowhere else, unless BIND_ADDRESS says so
EVERYWHERE = "0.0.0.0"  # noqa: S104  # only when asked for, and not with the default password
DATABASE = "mlopsdb"
OWNER = "postgres"
HIGHEST_PORT = 65535
ROOT = Path(__file__).resolve().parent.parent


class InvalidSettingError(Exception):
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
    bind_address: str = HOST
    root: Path = ROOT

    @property
    def host(self) -> str:
        """An address by which this machine reaches what listens on `bind_address`."""
        return HOST if self.bind_address in (HOST, EVERYWHERE) else self.bind_address

    @property
    def web_url(self) -> str:
        """Address of the dashboard."""
        return f"http://{self._name}:{self.web_port}"

    @property
    def api_url(self) -> str:
        """Base address of the API."""
        return f"http://{self._name}:{self.api_port}/api/v1.0"

    @property
    def dsn(self) -> str:
        """libpq URI of the owner, who may do everything."""
        return f"postgresql://{OWNER}:{quote(self.owner_password, safe='')}@{self._name}:{self.db_port}/{DATABASE}"

    @property
    def shown_dsn(self) -> str:
        """The same for the eye: a password of one's own is not shown, and a shell puts it in."""
        if self.owner_password == DEFAULT_PASSWORD:
            return self.dsn
        return f"postgresql://{OWNER}:$POSTGRES_PASSWORD@{self._name}:{self.db_port}/{DATABASE}"

    @property
    def _name(self) -> str:
        return "localhost" if self.host == HOST else self.host

    def postgres(self, user: str, password: str) -> dict[str, str]:
        """libpq's variables for one role."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.db_port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGDATABASE": DATABASE,
        }


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables.

    Raises:
        InvalidSettingError: a port is not a number in 1..65535 or named twice, a password cannot be one, or
        is the default where others
            would reach the stack.

    """
    ports = {
        name: _port(name, environment.get(name) or default)
        for name, default in (("WEB_PORT", "8501"), ("API_PORT", "9090"), ("DB_PORT", "5432"))
    }
    if len(set(ports.values())) < len(ports):
        named = ", ".join(f"{name}={port}" for name, port in ports.items())
        raise InvalidSettingError(f"WEB_PORT, API_PORT and DB_PORT must differ: {named}")
    passwords = {name: _password(name, environment) for name in PASSWORDS}
    bind_address = environment.get("BIND_ADDRESS") or HOST
    if (reason := refusal(bind_address, passwords)) is not None:
        raise InvalidSettingError(reason)
    return Settings(
        web_port=ports["WEB_PORT"],
        api_port=ports["API_PORT"],
        db_port=ports["DB_PORT"],
        owner_password=passwords["POSTGRES_PASSWORD"],
        app_password=passwords["MLOPS_APP_PASSWORD"],
        read_password=passwords["MLOPS_READ_PASSWORD"],
        directory=(ROOT / (environment.get("LOCAL_DIR") or ".local")).resolve(),
        bind_address=bind_address,
    )


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a program gets of the caller's environment.

    All but libpq's variables, which may point to another database.

    Whatever proxy there is, the way to this machine leads past it.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PG")}
    for name in ("no_proxy", "NO_PROXY"):
        kept[name] = ",".join(filter(None, (kept.get(name), f"localhost,{HOST}")))
    return kept


def _port(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT:
        return int(text)
    raise InvalidSettingError(f"{name}={text!r} is not a port number (1 to 65535)")


def _password(name: str, environment: Mapping[str, str]) -> str:
    try:
        value = secret(environment, name) or DEFAULT_PASSWORD
    except ValueError as error:
        raise InvalidSettingError(str(error)) from error
    if "\n" in value or "\r" in value or "\0" in value:
        raise InvalidSettingError(f"{name} must be a single line")
    return value
