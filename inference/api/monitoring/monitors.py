"""/monitors: detectors of the monitor, the history of their evidence, and new references."""

import re
from http import HTTPStatus
from typing import Any

from inference.api.learning import fields
from inference.api.learning.fields import CLIENT
from inference.api.validation import MAX_PERSON
from inference.database.monitoring.errors import UnknownMonitorError
from inference.database.monitoring.monitors import Monitors, Place
from inference.errors import Document, MalformedRequestError

CURSOR_PATTERN = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
# Of 12 references of 500 images, 8 gave a false alarm within 2,000 images; of 1,000, none did.
MIN_IMAGES, MAX_IMAGES, DEFAULT_IMAGES = 1000, 10_000, 2000
ORIGINS = ("traffic",)
LATEST_MICROSECONDS = 4_102_444_800_000_000  # the year 2100; Postgres knows no time far behind it


class MonitorsApi:
    """The operations of the resource /monitors."""

    def __init__(self, monitors: Monitors) -> None:
        self._monitors = monitors

    def list_monitors(self, task: str | None = None) -> Document:
        """Return the detectors, and whether a monitor is alive."""
        detectors = self._monitors.all(fields.optional_task(task))
        return {"monitors": detectors, **self._monitors.lease()}

    def list_checks(self, monitor_id: int, limit: int = 50, cursor: str | None = None) -> Document:
        """Return a page of a detector's checks, latest first."""
        before = None if cursor is None else _place(cursor)
        detector = self._monitors.one(fields.row_id(monitor_id, UnknownMonitorError))
        checks, last = self._monitors.checks(monitor_id, limit, before)
        following = None if last is None else f"{last[0]}.{last[1]}"
        return {**detector, "checks": checks, "next": following}

    def request_reference(self, task: str, document: Any) -> tuple[Document, int]:
        """Ask the monitor to take what is sent now as normal."""
        fields.only(document, ("from", "images", "by"))
        task = fields.task(task)
        fields.choice(document, "from", ORIGINS, ORIGINS[0])
        images = fields.whole(document, "images", (MIN_IMAGES, MAX_IMAGES), DEFAULT_IMAGES)
        by = fields.text(document, "by", MAX_PERSON, CLIENT)
        request = self._monitors.request_reference(task, images, by)
        answer = {
            "request_id": request,
            "task": task,
            "images": images,
            "requested_by": by,
            "no_monitor": self._monitors.lease()["no_monitor"],
        }
        return answer, HTTPStatus.ACCEPTED.value


def _place(cursor: str) -> Place:
    found = CURSOR_PATTERN.fullmatch(cursor)
    if found is None or not cursor.isascii():
        raise MalformedRequestError(
            "Invalid cursor. Send `next` of an earlier response of this operation unchanged.",
            "cursor",
        )
    return int(found[1]), min(int(found[2]), LATEST_MICROSECONDS)
