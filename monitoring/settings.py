"""Settings: the environment of the monitor, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitoring.detector import PATHS

DEFAULT_IGNORES = "mlops-evaluation mlops-dashboard:framed"
MAX_PORT = 65_535
MAX_IMAGES_PER_SECOND = 10_000


@dataclass(frozen=True)
class Ignored:
    """Program whose images are not examined. `path` limits it to one path of the images."""

    program: str
    path: str | None = None

    def matches(self, source: str | None, path: str) -> bool:
        """Return whether an image of this source and path is ignored."""
        if source is None or self.path not in (None, path):
            return False
        return self.program in (source, source.partition("/")[0])


@dataclass(frozen=True)
class Settings:
    """Settings of the monitor. libpq reads the address of Postgres from its own variables."""

    models_dir: Path
    ignored: tuple[Ignored, ...]
    images_per_second: int
    metrics_host: str
    metrics_port: int

    def ignores(self, source: str | None, path: str) -> bool:
        """Return whether images that `source` sent on this path are not examined."""
        return any(ignored.matches(source, path) for ignored in self.ignored)


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; doc/monitoring.md describes each variable.

    Raises ValueError, with the name of the variable, for a value that cannot be used.
    """
    ignores = environ.get("MONITOR_IGNORES", DEFAULT_IGNORES)
    return Settings(
        models_dir=Path(environ.get("MODELS_DIR") or "models"),
        ignored=tuple(map(_ignored, ignores.replace(",", " ").split())),
        images_per_second=_integer(
            environ, "MONITOR_IMAGES_PER_SECOND", 50, 1, MAX_IMAGES_PER_SECOND
        ),
        metrics_host=environ.get("MONITOR_METRICS_HOST") or "127.0.0.1",
        metrics_port=_integer(environ, "MONITOR_METRICS_PORT", 9464, 0, MAX_PORT),
    )


def _ignored(text: str) -> Ignored:
    program, colon, path = text.rpartition(":")
    if not colon:
        return Ignored(text)
    if not program or path not in PATHS:
        raise ValueError(
            f"MONITOR_IGNORES must name programs, with :{' or :'.join(PATHS)} behind the name for "
            f"one path, not {text!r}."
        )
    return Ignored(program, path)


def _integer(environ: Mapping[str, str], name: str, default: int, minimum: int, limit: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not minimum <= value <= limit:
        raise ValueError(f"{name} must be a whole number from {minimum} to {limit}, not {text!r}.")
    return value
