"""Settings: the environment of the pipeline's worker and commands, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Settings of the pipeline; doc/learning-loop.md describes each variable.

    libpq reads the address of Postgres from its own variables (PGHOST, PGPORT, PGUSER, ...).
    """

    models_dir: Path
    models_url: str
    models_poll_seconds: float
    work: Path
    images_url: str
    heartbeat_seconds: float
    retrain_experiment: str
    retrain_cron: str
    retrain_after_labels: int
    retrain_cooldown_hours: float
    retrain_seeds: int
    gate_alpha: float
    gate_margin: float
    gate_min_gain: float
    promotes_automatically: bool
    scale_url: str


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment. Raises ValueError, with the name of the variable, for a bad value."""
    return Settings(
        models_dir=Path(environ.get("MODELS_DIR") or "models"),
        models_url=environ.get("MODELS_URL") or "",
        models_poll_seconds=_number(environ, "MODELS_POLL_SECONDS", 2, 0.1, 3600),
        work=Path(environ.get("PIPELINE_WORK") or ".local/pipeline"),
        images_url=environ.get("IMAGES_URL") or ".local/images",
        heartbeat_seconds=_number(environ, "PIPELINE_HEARTBEAT_SECONDS", 30, 1, 3600),
        retrain_experiment=environ.get("RETRAIN_EXPERIMENT") or "",
        retrain_cron=environ.get("RETRAIN_CRON") or "",
        retrain_after_labels=_integer(environ, "RETRAIN_AFTER_LABELS", 200, 0, 1_000_000),
        retrain_cooldown_hours=_number(environ, "RETRAIN_COOLDOWN_HOURS", 24, 0, 8760),
        retrain_seeds=_integer(environ, "RETRAIN_SEEDS", 3, 1, 100),
        gate_alpha=_number(environ, "GATE_ALPHA", 0.01, 0, 0.5),
        gate_margin=_number(environ, "GATE_MARGIN", 0.003, 0, 1),
        gate_min_gain=_number(environ, "GATE_MIN_GAIN", 0.001, 0, 1),
        promotes_automatically=_switch(environ, "AUTO_PROMOTE"),
        scale_url=environ.get("SCALE_URL") or "",
    )


def _number(
    environ: Mapping[str, str], name: str, default: float, minimum: float, maximum: float
) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = minimum - 1
    if not minimum <= value <= maximum:
        raise ValueError(f"{name} must be a number from {minimum} to {maximum}, not {text!r}.")
    return value


def _integer(
    environ: Mapping[str, str], name: str, default: int, minimum: int, maximum: int
) -> int:
    value = _number(environ, name, default, minimum, maximum)
    if value != int(value):
        raise ValueError(f"{name} must be a whole number, not {environ[name]!r}.")
    return int(value)


def _switch(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name) or "0"
    if value not in ("0", "1"):
        raise ValueError(f"{name} must be 0 or 1, not {value!r}.")
    return value == "1"
