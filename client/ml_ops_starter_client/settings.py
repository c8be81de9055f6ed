"""Settings: environment variables of the client, and their defaults."""

import getpass
import os
import sys
from pathlib import Path

DEFAULT_URL = "http://localhost:9090"
FOLDER = "ml_ops_starter_client"


def service_url(given: str | None = None) -> str:
    """Return the URL of the service without a slash at its end: `given`, or MLOPS_URL."""
    return (given or os.environ.get("MLOPS_URL") or DEFAULT_URL).rstrip("/")


def api_key(given: str | None = None) -> str | None:
    """Return the API key: `given`, or MLOPS_API_KEY, None without one."""
    return given or os.environ.get("MLOPS_API_KEY") or None


def spool_directory() -> Path:
    """Return the folder of spool files: MLOPS_SPOOL_DIR, or a folder of the user."""
    given = os.environ.get("MLOPS_SPOOL_DIR")
    if given:
        return Path(given)
    state = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / FOLDER


def user_name() -> str | None:
    """Return the name of the user, None for a user without one, as in containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
