"""Settings of `make up`, read once from the environment, and the environment for each service."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from db.password_check import OPTIONAL_PASSWORDS, PASSWORDS, refusal
from db.settings import DEFAULT_PASSWORD
from servicekit.settings import secret

HOST = "127.0.0.1"  # all services listen only here, unless BIND_ADDRESS is set
ALL_INTERFACES = "0.0.0.0"  # noqa: S104  # explicit opt-in, rejected with a default password
DATABASE = "mlopsdb"
OWNER = "postgres"
MAX_PORT = 65535
ROOT = Path(__file__).resolve().parent.parent


class InvalidSettingError(Exception):
    """A variable has an invalid value. The message names the variable."""


@dataclass(frozen=True)
class Settings:
    """Ports are 1..65535 and distinct. Directories are absolute. `root` is the project folder."""

    web_port: int
    api_port: int
    db_port: int
    owner_password: str
    app_password: str
    read_password: str
    web_password: str
    pipeline_password: str
    directory: Path
    bind_address: str = HOST
    root: Path = ROOT

    @property
    def host(self) -> str:
        """Address at which this machine reaches listeners on `bind_address`."""
        return HOST if self.bind_address in (HOST, ALL_INTERFACES) else self.bind_address

    @property
    def web_url(self) -> str:
        """Address of the dashboard."""
        return f"http://{self._display_host}:{self.web_port}"

    @property
    def api_url(self) -> str:
        """Base address of the API."""
        return f"http://{self._display_host}:{self.api_port}/api/v1.0"

    @property
    def dsn(self) -> str:
        """libpq URI of the owner role, which has all privileges."""
        return self._build_dsn(quote(self.owner_password, safe=""))

    @property
    def display_dsn(self) -> str:
        """libpq URI for display. A non-default password is replaced by a shell variable."""
        if self.owner_password == DEFAULT_PASSWORD:
            return self.dsn
        return self._build_dsn("$POSTGRES_PASSWORD")

    def _build_dsn(self, password: str) -> str:
        return f"postgresql://{OWNER}:{password}@{self._display_host}:{self.db_port}/{DATABASE}"

    @property
    def _display_host(self) -> str:
        return "localhost" if self.host == HOST else self.host

    def libpq_variables(self, user: str, password: str) -> dict[str, str]:
        """Return libpq's variables for one role."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.db_port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGDATABASE": DATABASE,
        }


@dataclass(frozen=True)
class MonitoringPorts:
    """Ports of `make monitoring`, and that of the monitor of the service, which it reads."""

    prometheus: int
    alertmanager: int
    monitor: int


def read_monitoring_ports(environment: Mapping[str, str]) -> MonitoringPorts:
    """Read the ports of `make monitoring` from environment variables.

    Raises InvalidSettingError.
    """
    names = {"PROMETHEUS_PORT": "9091", "ALERTMANAGER_PORT": "9093", "MONITOR_METRICS_PORT": "9464"}
    ports = [_parse_port(name, environment.get(name) or default) for name, default in names.items()]
    if len(set(ports)) < len(ports):
        raise InvalidSettingError(f"{', '.join(names)} must differ")
    return MonitoringPorts(*ports)


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables.

    Raises:
        InvalidSettingError: a port is invalid or used twice, a password is invalid, or a default
            password would be reachable from other machines.
    """
    ports = {
        name: _parse_port(name, environment.get(name) or default)
        for name, default in (("WEB_PORT", "8501"), ("API_PORT", "9090"), ("DB_PORT", "5432"))
    }
    if len(set(ports.values())) < len(ports):
        described = ", ".join(f"{name}={port}" for name, port in ports.items())
        raise InvalidSettingError(f"WEB_PORT, API_PORT and DB_PORT must differ: {described}")
    stated = [
        name
        for name in OPTIONAL_PASSWORDS
        if environment.get(name) or environment.get(f"{name}_FILE")
    ]
    names = [*PASSWORDS, *stated]
    passwords = {name: _read_password(name, environment) for name in names}
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
        web_password=passwords.get("MLOPS_WEB_PASSWORD", passwords["MLOPS_READ_PASSWORD"]),
        pipeline_password=passwords.get("MLOPS_PIPELINE_PASSWORD", passwords["MLOPS_APP_PASSWORD"]),
        directory=(ROOT / (environment.get("LOCAL_DIR") or ".local")).resolve(),
        bind_address=bind_address,
    )


def inherited_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the caller's environment for a child process.

    libpq's variables are removed, because they may point to another database. So are the passwords
    of the database, because each program needs at most one, and make's flags, which repeat them.
    Connections to this machine bypass any proxy.
    """
    variables = {
        name: value
        for name, value in environment.items()
        if not re.match("PG|MAKE|MFLAGS", name)
        and name.removesuffix("_FILE") not in (*PASSWORDS, *OPTIONAL_PASSWORDS)
    }
    for name in ("no_proxy", "NO_PROXY"):
        variables[name] = ",".join(filter(None, (variables.get(name), f"localhost,{HOST}")))
    return variables


def _parse_port(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT:
        return int(text)
    raise InvalidSettingError(f"{name}={text!r} is not a port number (1 to {MAX_PORT})")


def _read_password(name: str, environment: Mapping[str, str]) -> str:
    try:
        value = secret(environment, name) or DEFAULT_PASSWORD
    except ValueError as error:
        raise InvalidSettingError(str(error)) from error
    if "\n" in value or "\r" in value or "\0" in value:
        raise InvalidSettingError(f"{name} must be a single line")
    return value
