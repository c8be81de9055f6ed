"""What was answered and what people said of it.

Predictions in pages, one with its image, labels and events, and true labels.

A page is found by index, however many predictions there are: each branch of a query gives the
page's rows of one index range in their order, and names are looked up for those alone.
"""

import base64
import binascii
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from inference.database.pool import Database, Record, utc
from inference.errors import (
    InvalidValueError,
    LabelConflictError,
    MalformedRequestError,
    NotYetStoredError,
    UnknownPredictionError,
)

EVENTS = 20  # so many of the latest are shown of one prediction
ARRIVAL_SECONDS, ARRIVAL_STEP_SECONDS = 1.0, 0.05
MAX_WAITING = 3  # handlers that wait for a prediction's arrival: the others go on predicting
MAX_CLASSES_BYTES = 600  # of a problem, which has 1 KB
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

ROW = """p.id, p.image_id, p.model_version_id, p.task, p.label, p.confidence, p.probabilities, p.created_at, p.events,
         p.last_event_at, p.disagrees, p.true_label"""
NAMED = f"""p.id::text AS prediction_id, {utc("p.created_at")} AS created_at, m.experiment_name, m.version,
            m.digest AS model_digest, p.task, i.digest AS image_digest, p.label AS class, p.confidence, m.classes, p.probabilities,
            p.true_label, p.disagrees, p.events, {utc("p.last_event_at")} AS last_event_at"""
NAMES = "JOIN model_versions m ON m.id = p.model_version_id JOIN images i ON i.id = p.image_id"
LATEST_FIRST = "ORDER BY p.created_at DESC, p.id DESC"

ONE = f"""
SELECT {NAMED},
       jsonb_build_object('digest', i.digest, 'width', i.width, 'height', i.height, 'bytes', i.bytes, 'media_type', i.media_type,
           'ink_share', i.ink_share, 'mean', i.mean, 'centroid_x', i.centroid_x, 'centroid_y', i.centroid_y, 'border', i.border,
           'original_url', i.original_url) AS image,
       (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM (
            SELECT label, labelled_by, {utc("labelled_at")} AS labelled_at, {utc("replaced_at")} AS replaced_at
            FROM labels WHERE image_id = p.image_id AND task = p.task ORDER BY id DESC) AS l) AS labels,
       (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM (
            SELECT id, {utc("at")} AS at, milliseconds, cached, request_id, source
            FROM prediction_events WHERE prediction_id = p.id ORDER BY prediction_events.at DESC, id DESC LIMIT {EVENTS}) AS e
       ) AS latest_events
FROM predictions p {NAMES} WHERE p.id = %s"""
LABEL = f"""
SELECT outcome, task, classes, current_label, current_by, {utc("labelled_at")} AS labelled_at
FROM label_prediction(%s, %s, %s, %s)"""


@dataclass(frozen=True)
class Filter:
    """Which predictions are wanted; None takes any.

    Times are of `created_at`: from `since` on, before `until`.
    """

    experiment_name: str | None = None
    version: int | None = None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    disagreement: bool | None = None
    corrected: bool | None = None
    wrong: bool | None = None


class History:
    """The predictions that the database has.

    `pending_bytes` tells how much of the journals is not in it yet.
    """

    def __init__(self, database: Database, pending_bytes: Callable[[], int]) -> None:
        self._database = database
        self._pending_bytes = pending_bytes
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)

    def page(
        self, wanted: Filter, limit: int, cursor: str | None = None
    ) -> tuple[list[Record], str | None]:
        """Return up to `limit` predictions, latest first, and the cursor of those after them, None
        when there are none.

        Raises MalformedRequestError for a cursor that is none, and DatabaseUnavailableError.
        """
        statement, arguments = page_query(
            wanted, limit + 1, read_cursor(cursor) if cursor is not None else None
        )
        rows = self._database.query(statement, arguments)
        shown = [_item(row) for row in rows[:limit]]
        return shown, _cursor(shown[-1]) if len(rows) > limit else None

    def one(self, prediction_id: str) -> Record:
        """Return one prediction. Raises UnknownPredictionError and DatabaseUnavailableError."""
        rows = self._database.query(ONE, [prediction_id])
        if not rows:
            raise UnknownPredictionError
        return _item(rows[0])

    def label(
        self, prediction_id: str, label: str, labelled_by: str, replaces: str | None
    ) -> Record:
        """Store the true label of a prediction's image, and wait a moment for a prediction that may
        be on its way.

        Raises LabelConflictError, InvalidValueError, UnknownPredictionError, NotYetStoredError and
        DatabaseUnavailableError.
        """
        arguments = [prediction_id, label, labelled_by, replaces]
        may_arrive = (
            self._pending_bytes() > 0
        )  # before it is asked for: it may have arrived after that
        [done] = self._database.query(LABEL, arguments)
        if done["outcome"] == "unknown" and may_arrive:
            done = self._arrived(arguments)
        outcome, stands = done["outcome"], done["current_label"]
        if outcome == "unknown":
            raise UnknownPredictionError
        if outcome == "no class":
            raise InvalidValueError(
                f"A label of this task is one of {_words(done['classes'])}.", "label"
            )
        if outcome == "conflict":
            raise LabelConflictError(
                "No label stands, so there is none to replace; leave `replaces` out."
                if stands is None
                else f"The label {stands} stands; to replace it, send it as `replaces`.",
                "replaces",
            )
        return {
            "prediction_id": prediction_id,
            "task": done["task"],
            "label": stands,
            "labelled_by": done["current_by"],
            "labelled_at": done["labelled_at"],
        }

    def _arrived(self, arguments: Sequence[Any]) -> Record:
        """Return what became of a label once its prediction has arrived, or once nothing is on its
        way.
        """
        if not self._waiting.acquire(blocking=False):
            raise NotYetStoredError
        try:
            deadline = time.monotonic() + ARRIVAL_SECONDS
            while True:
                is_last = (
                    not self._pending_bytes()
                )  # looked at first: what is shipped in between is found all the same
                [done] = self._database.query(LABEL, arguments)
                if done["outcome"] != "unknown" or is_last:
                    return done
                if time.monotonic() >= deadline:
                    raise NotYetStoredError
                time.sleep(ARRIVAL_STEP_SECONDS)
        finally:
            self._waiting.release()


def page_query(
    wanted: Filter, limit: int, before: tuple[datetime, str] | None
) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page and its arguments.

    `before` are the time and id of the last one of the page before it.
    """
    rules = {
        "p.created_at >= %(since)s": wanted.since is not None,
        "p.created_at < %(until)s": wanted.until is not None,
        "(p.created_at, p.id) < (%(before)s, %(before_id)s)": before is not None,
        "p.disagrees": wanted.disagreement is True,
        "NOT p.disagrees": wanted.disagreement is False,
        "p.true_label IS NOT NULL": wanted.corrected is True or wanted.wrong is False,
        "p.true_label IS NULL": wanted.corrected is False,
        # In this form there are statistics of it: the planner knows that few are wrong.
        "(p.true_label <> p.label) IS TRUE": wanted.wrong is True,
        "(p.true_label <> p.label) IS FALSE": wanted.wrong is False,
    }
    where = [rule for rule, applies in rules.items() if applies]
    arguments: dict[str, Any] = {
        "name": wanted.experiment_name, "version": wanted.version, "label": wanted.label, "since": wanted.since,
        "until": wanted.until, "limit": limit, "before": before and before[0], "before_id": before and before[1],
    }  # fmt: skip
    if wanted.experiment_name is None:
        where += ["p.label = %(label)s"] if wanted.label is not None else []
        found = _ordered(where)
    else:
        # Few predictions are disputed or corrected, and of these there is an index by version
        # alone; of all there is one by version and label, so each label of each version gives the
        # page's rows, and the latest of them are the page.
        is_few = wanted.disagreement is True or wanted.corrected is True or wanted.wrong is not None
        ranges = (
            "SELECT m.id FROM model_versions m"
            if is_few
            else "SELECT DISTINCT m.id, c.label FROM model_versions m, unnest(m.classes) AS c (label)"
        )
        ranges += " WHERE m.experiment_name = %(name)s" + (
            " AND m.version = %(version)s" if wanted.version is not None else ""
        )
        where.append("p.model_version_id = r.id")
        if is_few:
            where += ["p.label = %(label)s"] if wanted.label is not None else []
        else:
            ranges += " AND c.label = %(label)s" if wanted.label is not None else ""
            where.append("p.label = r.label")
        found = f"SELECT p.* FROM ({ranges}) AS r CROSS JOIN LATERAL ({_ordered(where)}) AS p {LATEST_FIRST} LIMIT %(limit)s"
    return f"SELECT {NAMED} FROM ({found}) AS p {NAMES} {LATEST_FIRST}", arguments


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the time and id that a cursor stands for. Raises MalformedRequestError."""
    try:
        data = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if len(data) != CURSOR_BYTES or _encoded(data) != cursor:
            raise ValueError
        moment = EPOCH + int.from_bytes(data[:8], signed=True) * MICROSECOND
        return moment, str(uuid.UUID(bytes=data[8:]))
    except (ValueError, OverflowError, binascii.Error):
        raise MalformedRequestError(
            "cursor is the `next` of an answer of this operation, as it was given.", "cursor"
        ) from None


CURSOR_BYTES = 24  # the time in microseconds, and the id


def _cursor(item: Record) -> str:
    microseconds = (datetime.fromisoformat(item["created_at"]) - EPOCH) // MICROSECOND
    return _encoded(microseconds.to_bytes(8, signed=True) + uuid.UUID(item["prediction_id"]).bytes)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _ordered(where: Sequence[str]) -> str:
    conditions = f"WHERE {' AND '.join(where)} " if where else ""
    return f"SELECT {ROW} FROM predictions p {conditions}{LATEST_FIRST} LIMIT %(limit)s"


def _item(row: Record) -> Record:
    """Return a row as callers read it: the probabilities by label."""
    return {
        name: dict(zip(row["classes"], value, strict=True)) if name == "probabilities" else value
        for name, value in row.items()
        if name != "classes"
    }


def _words(classes: Sequence[str]) -> str:
    words = ", ".join(classes)
    return (
        words
        if len(words.encode()) <= MAX_CLASSES_BYTES
        else f"the {len(classes)} that GET /api/v1.0/models lists"
    )
