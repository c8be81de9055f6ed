"""Placeholder until the alias helper's module is merged."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.card import write_atomically

ALIASES_FILE = "aliases.json"


def write_aliases(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write them."""
    write_atomically(path, json.dumps(rows).encode())
