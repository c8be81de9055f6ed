"""Settings helpers: secrets from files or variables, lists of host names, and days."""

import math
from collections.abc import Mapping
from pathlib import Path

MAX_DAYS = 36_500  # as good as forever


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


def days(environ: Mapping[str, str], name: str) -> float | None:
    """Return a number of days above 0, None without the variable.

    Raises ValueError, with the name of the variable, for any other value.
    """
    text = environ.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MAX_DAYS:
        raise ValueError(
            f"{name} must be a number of days above 0 and up to {MAX_DAYS}, not {text!r}."
        )
    return value
