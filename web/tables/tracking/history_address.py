"""Addresses of the page History with its filters."""

from urllib.parse import urlencode

HISTORY_PAGE = "history"


def history_url(**filters: str | float | bool) -> str:
    """Return the address of the history with filters, such as model=... or wrong=True."""
    return f"{HISTORY_PAGE}?{urlencode({key: _text(value) for key, value in filters.items()})}"


def _text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
