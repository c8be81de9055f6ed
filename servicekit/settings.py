"""Settings helpers: secrets from files or variables, and lists of host names."""

from collections.abc import Mapping
from pathlib import Path


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """Return a secret: the content of the file that NAME_FILE names, else NAME, else None.

    White space around a file's content is removed. Raises ValueError, naming the variable and the
    path, for a file that cannot be read.
    """
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name)
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_FILE={path} cannot be read: {error}") from error


def host_names(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names of ALLOWED_HOSTS in lower case, separated by commas or white space."""
    return frozenset(environ.get("ALLOWED_HOSTS", "").lower().replace(",", " ").split())
