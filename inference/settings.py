"""What the environment says to the inference service, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Settings of the service. Where Postgres is comes from libpq's own variables (PGHOST, PGPORT, PGUSER, ...)."""

    host: str
    port: int
    models_dir: Path
    compiled_dir: Path
    max_image_bytes: int


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read API_HOST, API_PORT, MODELS_DIR, COMPILED_DIR and MAX_IMAGE_BYTES; doc/api.md describes each."""
    return Settings(
        host=environ.get("API_HOST", "127.0.0.1"),
        port=int(environ.get("API_PORT", "9090")),
        models_dir=Path(environ.get("MODELS_DIR", "models")),
        compiled_dir=Path(environ.get("COMPILED_DIR", ".local/compiled")),
        max_image_bytes=int(environ.get("MAX_IMAGE_BYTES", str(2 * 2**20))),
    )
