"""Settings: the environment of the inference service and its background process, read once."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servicekit.settings import days, host_names

MAX_PORT = 65_535
MAX_DRAIN_SECONDS = 3600
MEBIBYTE = 2**20
FORM_BYTES = 65_536  # of a request around its image: multipart framing


@dataclass(frozen=True)
class Settings:
    """Settings of the service and its background process.

    libpq reads the address of Postgres from its own variables (PGHOST, PGPORT, PGUSER, ...).
    """

    host: str
    port: int
    drain_seconds: float
    models_dir: Path
    models_url: str
    models_poll_seconds: float
    compiled_dir: Path
    probe_min_accuracy: float
    max_image_bytes: int
    max_request_bytes: int
    max_requests: int
    allowed_hosts: frozenset[str]
    trusted_proxies: str
    default_task: str
    invocations_model: str
    api_keys_file: Path | None
    reads_need_key: bool
    models_memory_bytes: int
    cache_entries: int
    fast_path: bool
    workers: int
    journal_dir: Path
    journal_bytes: int
    refuses_when_full: bool
    log_share: float
    journal_max_wait_seconds: int
    images_url: str
    stores_images: bool
    images_keep_days: float
    monitors: bool
    tracks: bool
    dashboard_url: str


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; doc/api.md and doc/data.md describe each variable.

    Raises ValueError, with the name of the variable, for a value that cannot be used.
    """
    keys_file = environ.get("API_KEYS_FILE")
    max_image_bytes = _integer(environ, "MAX_IMAGE_BYTES", 2 * MEBIBYTE)
    default_task = environ.get("DEFAULT_TASK") or "mnist"
    max_request_bytes = max(16 * MEBIBYTE, max_image_bytes + FORM_BYTES)
    return Settings(
        host=environ.get("API_HOST") or "127.0.0.1",
        port=_port(environ),
        drain_seconds=_number(environ, "DRAIN_SECONDS", 0.0, 0.0, MAX_DRAIN_SECONDS),
        models_dir=Path(environ.get("MODELS_DIR") or "models"),
        models_url=environ.get("MODELS_URL") or "",
        models_poll_seconds=_number(environ, "MODELS_POLL_SECONDS", 2.0, 0.1, 3600.0),
        compiled_dir=Path(environ.get("COMPILED_DIR") or ".local/compiled"),
        probe_min_accuracy=_number(environ, "PROBE_MIN_ACCURACY", 0.7, 0.0, 1.0),
        max_image_bytes=max_image_bytes,
        max_request_bytes=_integer(environ, "MAX_REQUEST_BYTES", max_request_bytes),
        max_requests=_integer(environ, "MAX_REQUESTS", 256),
        allowed_hosts=host_names(environ),
        trusted_proxies=environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1",
        default_task=default_task,
        invocations_model=environ.get("INVOCATIONS_MODEL") or f"{default_task}@champion",
        api_keys_file=Path(keys_file) if keys_file else None,
        reads_need_key=_is_first(environ, "API_KEYS_FOR_READS", "1", "0"),
        models_memory_bytes=_integer(environ, "MODELS_MEMORY_BYTES", 192 * MEBIBYTE),
        cache_entries=_integer(environ, "CACHE_ENTRIES", 10_000, minimum=0),
        fast_path=environ.get("FAST_PATH") != "0",
        workers=_integer(environ, "API_WORKERS", os.cpu_count() or 1),
        journal_dir=Path(environ.get("JOURNAL_DIR") or ".local/journal"),
        journal_bytes=_integer(environ, "JOURNAL_BYTES", 512 * MEBIBYTE, minimum=0),
        refuses_when_full=_is_first(environ, "JOURNAL_FULL", "refuse", "drop"),
        log_share=_number(environ, "LOG_SHARE", 1.0, 0.0, 1.0),
        journal_max_wait_seconds=_integer(environ, "JOURNAL_MAX_WAIT_SECONDS", 60),
        images_url=environ.get("IMAGES_URL") or ".local/images",
        stores_images=environ.get("IMAGES_STORE") != "0",
        images_keep_days=days(environ, "IMAGES_KEEP_DAYS") or 30.0,
        monitors=environ.get("MONITOR") != "0",
        tracks=environ.get("TRACKING") != "0",
        dashboard_url=_dashboard_url(environ),
    )


def _dashboard_url(environ: Mapping[str, str]) -> str:
    """Return the address of the dashboard: an HTTP URL, or a colon and a port."""
    text = environ.get("DASHBOARD_URL") or ":8501"
    if not re.fullmatch(r":[0-9]{1,5}|https?://[^\s/]+(/\S*)?", text, re.ASCII):
        raise ValueError(
            "DASHBOARD_URL must be a URL such as https://mlops.example.org, or a port such as"
            f" :8501, not {text!r}."
        )
    return text


def _integer(
    environ: Mapping[str, str], name: str, default: int, minimum: int = 1, maximum: int = 2**63 - 1
) -> int:
    text = environ.get(name)
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdecimal() else minimum - 1
    if not minimum <= value <= maximum:
        limit = f" to {maximum}" if maximum == MAX_PORT else ""
        raise ValueError(f"{name} must be a whole number from {minimum}{limit}, not {text!r}.")
    return value


def _port(environ: Mapping[str, str]) -> int:
    """Return PORT, with which platforms name the port that they send requests to, or API_PORT."""
    name = "PORT" if environ.get("PORT") else "API_PORT"
    return _integer(environ, name, 9090, maximum=MAX_PORT)


def _number(
    environ: Mapping[str, str], name: str, default: float, minimum: float, maximum: float
) -> float:
    """Return a number from `minimum` to `maximum`."""
    text = environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not minimum <= value <= maximum:
        limits = f"from {minimum:g} to {maximum:g}"
        raise ValueError(f"{name} must be a number {limits}, not {text!r}.")
    return value


def _is_first(environ: Mapping[str, str], name: str, first: str, second: str) -> bool:
    """Return whether a variable has the first of its two values, which is the default."""
    value = environ.get(name) or first
    if value not in (first, second):
        raise ValueError(f"{name} must be {first} or {second}, not {value!r}.")
    return value == first
