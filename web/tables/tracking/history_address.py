"""Addresses of the page History: its filters and the position of a page."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from web.data.tracking.history_types import Cursor, HistoryFilter

HISTORY_PAGE = "history"
# Keys of the widgets, which are also the URL parameters.
TASK, EXPERIMENT, LABEL, TRUE_LABEL = "task", "experiment", "class", "truth"
ONLY, BELOW, SINCE, UNTIL, PROGRAM, ONCE = "only", "below", "since", "until", "program", "once"
FILTER_KEYS = (TASK, EXPERIMENT, LABEL, TRUE_LABEL, ONLY, BELOW, SINCE, UNTIL, PROGRAM, ONCE)
WRONG, LABELED, DISAGREEING, WARNED = "Wrong", "Labeled", "Disagreeing", "Warnings"
KINDS = (WRONG, DISAGREEING, LABELED, WARNED)
THRESHOLDS = ("50", "60", "70", "80", "90")


def history_url(**filters: str | Sequence[str]) -> str:
    """Return the address of the history with filters, such as experiment=... or only="Wrong"."""
    return f"{HISTORY_PAGE}?{urlencode(filters, doseq=True)}"


def parse_filter(values: Mapping[str, Any]) -> HistoryFilter:
    """Return the filter of the widgets' values by key. A missing or None value matches all."""
    name, version = split_name(values.get(EXPERIMENT))
    only = values.get(ONLY) or ()
    below = values.get(BELOW)
    until = values.get(UNTIL)
    return HistoryFilter(
        task=values.get(TASK),
        experiment=name,
        version=version,
        label=values.get(LABEL),
        true_label=values.get(TRUE_LABEL),
        is_wrong=WRONG in only,
        is_labeled=LABELED in only,
        disagrees=DISAGREEING in only,
        has_warning=WARNED in only,
        below=int(below) / 100 if below in THRESHOLDS else None,
        since=_midnight(values.get(SINCE)),
        until=None if until is None else _midnight(until + timedelta(days=1)),
        source=(values.get(PROGRAM) or "").strip() or None,
        is_once=bool(values.get(ONCE, True)),
    )


def split_name(name: str | None) -> tuple[str | None, int | None]:
    """Return experiment and version of NAME or NAME@2."""
    if not name:
        return None, None
    experiment, _, version = name.partition("@")
    is_number = version.isascii() and version.isdecimal()
    return experiment, int(version) if is_number else None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def write_cursor(cursor: Cursor) -> str:
    """Return a position as a URL parameter."""
    return f"{cursor.created_at.astimezone(UTC).isoformat()}_{cursor.prediction_id}"


def read_cursor(text: str | None) -> Cursor | None:
    """Return the position of a URL parameter, None for an invalid one."""
    moment, _, identifier = (text or "").rpartition("_")
    try:
        at = datetime.fromisoformat(moment)
        return Cursor(at.replace(tzinfo=at.tzinfo or UTC), str(uuid.UUID(identifier)))
    except ValueError:
        return None
