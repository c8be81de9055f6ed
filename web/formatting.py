"""How values are written for people: names made safe for markdown, ages, shares."""

import re
from collections.abc import Sequence

# What helps when the database or the data are not as they should be: both ways set the database up.
START_AGAIN = "start again with `make up` or `docker compose up -d`"

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit expands :material/name:, :red[...] and :smile: after backslashes are gone. An invisible
# word joiner behind the colon ends every one of them.
_DIRECTIVE = re.compile(r"\\:(?=\S)")

_JUST_NOW_SECONDS = 5
_DAY_SECONDS = 86400
# Unit, its length in seconds, and the age up to which it is used.
_UNITS = (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 2 * _DAY_SECONDS))
_WHOLE = 100
_KILO = 1000


def plain(text: str) -> str:
    r"""Escape text so that Streamlit's markdown shows it as it is, on one line.

    A_*b*[c] -> a\_\*b\*\[c\].
    """
    escaped = _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
    return _DIRECTIVE.sub("\\:\N{WORD JOINER}", escaped)


def ago(seconds: float) -> str:
    """Write an age in one unit: just now, 40 s ago, 3 min ago, 2 h ago, 5 days ago."""
    if seconds < _JUST_NOW_SECONDS:
        return "just now"
    unit, size = next(
        ((unit, size) for unit, size, up_to in _UNITS if seconds < up_to), ("days", _DAY_SECONDS)
    )
    return f"{seconds // size:.0f} {unit} ago"


def percent(share: float, digits: int = 0) -> str:
    """Write a share of 0..1 as 98 %, with a no-break space.

    It never rounds up to 100 % or down to 0 %.
    """
    shown = round(share * 100, digits)
    if shown >= _WHOLE > share * _WHOLE:
        return f"> {100 - 10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    if shown <= 0 < share:
        return f"< {10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    return f"{shown:.{digits}f}\N{NO-BREAK SPACE}%"


def size(count_of_bytes: int) -> str:
    """Write a size in one unit of 1,000: 12 kB, 3.4 MB."""
    if count_of_bytes < _KILO:
        return f"{count_of_bytes}\N{NO-BREAK SPACE}B"
    if count_of_bytes < _KILO**2:
        return f"{count_of_bytes / _KILO:.0f}\N{NO-BREAK SPACE}kB"
    return f"{count_of_bytes / _KILO**2:.1f}\N{NO-BREAK SPACE}MB"


def count(number: int, noun: str) -> str:
    """Write a number with its noun: 1 model, 2 models."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some(names: Sequence[str], at_most: int = 5) -> str:
    """Write a list for a sentence, escaped for markdown: a, b and 3 more."""
    shown = ", ".join(plain(name) for name in names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
