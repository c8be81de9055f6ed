"""Settings: the environment of the tracking process, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SECONDS = 30 * 86_400
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Settings:
    """Settings of the tracking process. libpq reads the address of Postgres from its variables."""

    images_url: str
    default_task: str
    silent_seconds: int
    max_artifact_bytes: int


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; doc/tracking.md describes each variable.

    Raises ValueError, with the name of the variable, for a value that cannot be used.
    """
    return Settings(
        images_url=environ.get("IMAGES_URL") or ".local/images",
        default_task=environ.get("DEFAULT_TASK") or "mnist",
        silent_seconds=_integer(environ, "RUN_SILENT_SECONDS", 600, MAX_SECONDS),
        max_artifact_bytes=_integer(environ, "RUN_ARTIFACT_MAX_BYTES", 2**20, MAX_BYTES),
    )


def _integer(environ: Mapping[str, str], name: str, default: int, limit: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= value <= limit:
        raise ValueError(f"{name} must be a whole number from 1 to {limit}, not {text!r}.")
    return value
