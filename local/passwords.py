"""`python -m local.passwords`.

Makes the folder `secrets` for a stack that others reach: a file per password, and API keys.

What is there already stays. The containers run as a user of their own, so the files are readable
for all, and the folder is not.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

PASSWORDS = ("postgres_password", "mlops_app_password", "mlops_read_password")
KEY, KEYS = (
    "api_key",
    "api_keys",
)  # the dashboard's own key, and the digests of all that are admitted
FOLDER_MODE, FILE_MODE = 0o700, 0o644
BYTES = 24


def make(folder: Path) -> list[str]:
    """Make what is missing in a folder and return the names of the files that were made."""
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    made = [
        name for name in (*PASSWORDS, KEY) if _write(folder / name, secrets.token_urlsafe(BYTES))
    ]
    digest = hashlib.sha256((folder / KEY).read_text().strip().encode()).hexdigest()
    return made + ([KEYS] if _write(folder / KEYS, f"{digest} the dashboard") else [])


def _write(file: Path, text: str) -> bool:
    if file.exists():
        return False
    file.write_text(f"{text}\n")
    file.chmod(FILE_MODE)
    return True


def main() -> int:
    """Make the folder beside docker-compose.yml and say what is in it now."""
    folder = Path(__file__).resolve().parent.parent / "secrets"
    try:
        made = make(folder)
    except OSError as error:
        print(f"{folder} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(
        f"Made in {folder}: {', '.join(made)}" if made else f"Nothing to do: {folder} has them all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
