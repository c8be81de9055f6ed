"""Repetitions of faults: a short form for each change, and the full form of `make test-faults`."""

import os

IS_FULL = os.environ.get("FAULTS") == "full"


def short_or_full(short: int, full: int) -> int:
    """Return the number for the short form, or that for the full one with FAULTS=full."""
    return full if IS_FULL else short
