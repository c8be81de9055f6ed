"""Console output: progress lines that appear immediately."""

from __future__ import annotations

import contextlib


def print_line(text: str) -> None:
    """Print a line and flush it. A closed terminal or pipe must not interrupt an orderly stop."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)
