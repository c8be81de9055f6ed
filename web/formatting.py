"""Text formatting: markdown escaping, ages, percentages, sizes and plurals."""

import re
from collections.abc import Sequence

# Both commands also run the database migrations.
RESTART_HINT = "restart with `make up` or `docker compose up -d`"

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Streamlit expands :material/name:, :red[...] and :smile: after it has removed the backslashes.
# An invisible word joiner after the colon disables all of them.
_DIRECTIVE = re.compile(r"\\:(?=\S)")

_JUST_NOW_SECONDS = 5
_DAY_SECONDS = 86400
# Unit, its length in seconds, and the age up to which it is used.
_UNITS = (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 2 * _DAY_SECONDS))
_TENTHS_BELOW = 10
_MINUTE_SECONDS = 60
_WHOLE = 100
_KILO = 1000


def escape_markdown(text: str) -> str:
    r"""Escape text for Streamlit's markdown, on one line: a_*b*[c] -> a\_\*b\*\[c\]."""
    escaped = _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
    return _DIRECTIVE.sub("\\:\N{WORD JOINER}", escaped)


def format_age(seconds: float) -> str:
    """Format an age in one unit: just now, 40 s ago, 3 min ago, 2 h ago, 5 days ago."""
    if seconds < _JUST_NOW_SECONDS:
        return "just now"
    unit, size = next(
        ((unit, size) for unit, size, up_to in _UNITS if seconds < up_to), ("days", _DAY_SECONDS)
    )
    return f"{seconds // size:.0f} {unit} ago"


def format_duration(seconds: float) -> str:
    """Format a duration in at most two units: 0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds < _TENTHS_BELOW:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_SECONDS:
        return f"{whole} s"
    minutes, rest = divmod(whole, _MINUTE_SECONDS)
    if minutes < _MINUTE_SECONDS:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, _MINUTE_SECONDS)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_points(share: float, digits: int = 2) -> str:
    """Format a difference of shares in percentage points with its sign: +0.16, -0.02, 0.00."""
    shown = f"{share * 100:+.{digits}f}"
    is_zero = float(shown) == 0
    return shown[1:] if is_zero else shown.replace("-", "\N{MINUS SIGN}")


def format_percent(share: float, digits: int = 0) -> str:
    """Format a share of 0 to 1 as 98 %, with a no-break space.

    Never rounds up to 100 % or down to 0 %.
    """
    shown = round(share * 100, digits)
    if shown >= _WHOLE > share * _WHOLE:
        return f"> {100 - 10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    if shown <= 0 < share:
        return f"< {10**-digits:.{digits}f}\N{NO-BREAK SPACE}%"
    return f"{shown:.{digits}f}\N{NO-BREAK SPACE}%"


def format_size(number_of_bytes: int) -> str:
    """Format a size in one unit of 1,000: 12 kB, 3.4 MB."""
    if number_of_bytes < _KILO:
        return f"{number_of_bytes}\N{NO-BREAK SPACE}B"
    if number_of_bytes < _KILO**2:
        return f"{number_of_bytes / _KILO:.0f}\N{NO-BREAK SPACE}kB"
    return f"{number_of_bytes / _KILO**2:.1f}\N{NO-BREAK SPACE}MB"


def pluralize(number: int, noun: str) -> str:
    """Format a number with its noun: 1 model, 2 models."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def join_names(names: Sequence[str], limit: int = 5) -> str:
    """Join names for a sentence, escaped for markdown: a, b and 3 more."""
    shown = ", ".join(escape_markdown(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
