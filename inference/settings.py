"""What the environment says to the inference service and its shipper, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from servicekit.settings import host_names

MAX_DAYS = 36_500  # as good as for ever


@dataclass(frozen=True)
class Settings:
    """Settings of the service.

    Where Postgres is comes from libpq's own variables (PGHOST, PGPORT, PGUSER, ...).
    """

    host: str
    port: int
    models_dir: Path
    compiled_dir: Path
    max_image_bytes: int
    max_request_bytes: int
    max_requests: int
    allowed_hosts: frozenset[str]
    api_keys_file: Path | None
    models_memory_bytes: int
    cache_entries: int
    fast_path: bool
    workers: int
    journal_dir: Path
    journal_bytes: int
    refuses_when_full: bool
    images_url: str
    stores_images: bool
    images_keep_days: float


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; doc/api.md and doc/data.md describe each variable.

    Raises ValueError for one that cannot be used.
    """
    settings = Settings(
        host=environ.get("API_HOST", "127.0.0.1"),
        port=int(environ.get("API_PORT", "9090")),
        models_dir=Path(environ.get("MODELS_DIR", "models")),
        compiled_dir=Path(environ.get("COMPILED_DIR", ".local/compiled")),
        max_image_bytes=int(environ.get("MAX_IMAGE_BYTES", str(2 * 2**20))),
        max_request_bytes=int(environ.get("MAX_REQUEST_BYTES", str(16 * 2**20))),
        max_requests=int(environ.get("MAX_REQUESTS") or 256),
        allowed_hosts=host_names(environ),
        api_keys_file=Path(environ["API_KEYS_FILE"]) if environ.get("API_KEYS_FILE") else None,
        models_memory_bytes=int(environ.get("MODELS_MEMORY_BYTES", str(192 * 2**20))),
        cache_entries=int(environ.get("CACHE_ENTRIES", "10000")),
        fast_path=environ.get("FAST_PATH", "1") != "0",
        workers=int(environ.get("API_WORKERS") or os.cpu_count() or 1),
        journal_dir=Path(environ.get("JOURNAL_DIR") or ".local/journal"),
        journal_bytes=int(environ.get("JOURNAL_BYTES") or 512 * 2**20),
        refuses_when_full=_choice(environ, "JOURNAL_FULL", "refuse", "drop"),
        images_url=environ.get("IMAGES_URL") or ".local/images",
        stores_images=environ.get("IMAGES_STORE", "1") != "0",
        images_keep_days=float(environ.get("IMAGES_KEEP_DAYS") or 30),
    )
    for name in (
        "max_image_bytes",
        "max_request_bytes",
        "max_requests",
        "models_memory_bytes",
        "workers",
    ):
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} must be at least 1")
    if settings.cache_entries < 0:
        raise ValueError("cache_entries must not be negative")
    if settings.journal_bytes < 0:
        raise ValueError("journal_bytes must not be negative")
    if not 0 < settings.images_keep_days <= MAX_DAYS:
        raise ValueError(f"images_keep_days must be more than 0, and at most {MAX_DAYS}")
    return settings


def _choice(environ: Mapping[str, str], name: str, yes: str, no: str) -> bool:
    """Return whether a variable has the first of two values, which it has when it is not set.

    Raises ValueError for any other.
    """
    value = environ.get(name) or yes
    if value not in (yes, no):
        raise ValueError(f"{name} must be {yes} or {no}")
    return value == yes
