"""Secret generator: creates a password file per role and API keys for a publicly reachable stack.

`python -m local.passwords` writes to the folder `secrets`. Existing files are kept. Containers run
under their own user, so the files are world-readable and only the folder is private.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

PASSWORD_FILES = (
    "postgres_password",
    "mlops_app_password",
    "mlops_read_password",
    "mlops_web_password",
    "mlops_pipeline_password",
)
API_KEY_FILE = "api_key"  # the dashboard's key
API_KEYS_FILE = "api_keys"  # digests of all accepted keys
FOLDER_MODE, FILE_MODE = 0o700, 0o644
SECRET_BYTES = 24


def create_secrets(folder: Path) -> list[str]:
    """Create the missing files in a folder and return their names."""
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    created = [
        name
        for name in (*PASSWORD_FILES, API_KEY_FILE)
        if _write_if_missing(folder / name, secrets.token_urlsafe(SECRET_BYTES))
    ]
    digest = hashlib.sha256((folder / API_KEY_FILE).read_text().strip().encode()).hexdigest()
    return created + (
        [API_KEYS_FILE]
        if _write_if_missing(folder / API_KEYS_FILE, f"{digest} the dashboard")
        else []
    )


def _write_if_missing(file: Path, text: str) -> bool:
    if file.exists():
        return False
    file.write_text(f"{text}\n")
    file.chmod(FILE_MODE)
    return True


def main() -> int:
    """Create the folder next to docker-compose.yml and print the result."""
    folder = Path(__file__).resolve().parent.parent / "secrets"
    try:
        created = create_secrets(folder)
    except OSError as error:
        print(f"Cannot write to {folder}: {error.strerror}", file=sys.stderr)
        return 1
    print(
        f"Created in {folder}: {', '.join(created)}"
        if created
        else f"Nothing to do: {folder} is complete"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
