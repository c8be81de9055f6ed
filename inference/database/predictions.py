"""Queries of predictions: pages, single predictions with their history, and true labels.

Pages are found by index, whatever the number of predictions. Each branch of a query reads the
page's rows in order from one range of an index. Only these rows are joined with names.
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

from inference.database.learning.errors import UnrequestedLabelError
from inference.database.pool import Database, Record, utc
from inference.errors import (
    InvalidValueError,
    LabelConflictError,
    MalformedRequestError,
    NotYetStoredError,
    UnknownPredictionError,
    UnlabelableImageError,
)

MAX_EVENTS = 20  # the latest events of a single prediction
ARRIVAL_SECONDS, POLL_SECONDS = 1.0, 0.05
MAX_WAITING = 3  # handlers that wait for a prediction to arrive; the others stay available
MAX_CLASSES_BYTES = 600  # in an error, which has 1 KB
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CURSOR_BYTES = 24  # the time in microseconds and the id

ROW = """
p.id, p.image_id, p.model_version_id, p.task, p.label, p.confidence, p.probabilities, p.created_at,
p.events, p.last_event_at, p.disagrees, p.true_label
"""
NAMED = f"""
p.id::text AS prediction_id, {utc("p.created_at")} AS created_at, m.experiment_name, m.version,
m.digest AS model_digest, p.task, i.digest AS image_digest, i.warnings, p.label AS class,
p.confidence, m.classes, p.probabilities, p.true_label, p.disagrees, p.events,
{utc("p.last_event_at")} AS last_event_at
"""
JOIN_NAMES = """
JOIN model_versions m ON m.id = p.model_version_id JOIN images i ON i.id = p.image_id
"""
LATEST_FIRST = "ORDER BY p.created_at DESC, p.id DESC"

SELECT_ONE = f"""
SELECT {NAMED},
       jsonb_build_object(
           'digest', i.digest, 'width', i.width, 'height', i.height, 'bytes', i.bytes,
           'media_type', i.media_type, 'ink_share', i.ink_share, 'mean', i.mean,
           'centroid_x', i.centroid_x, 'centroid_y', i.centroid_y, 'border', i.border,
           'original_url', i.original_url) AS image,
       (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM (
            SELECT label, labelled_by, {utc("labelled_at")} AS labelled_at,
                   {utc("replaced_at")} AS replaced_at
            FROM labels WHERE image_id = p.image_id AND task = p.task ORDER BY id DESC) AS l
       ) AS labels,
       (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM (
            SELECT id, {utc("at")} AS at, milliseconds, cached, request_id, source, protocol
            FROM prediction_events WHERE prediction_id = p.id
            ORDER BY prediction_events.at DESC, id DESC LIMIT {MAX_EVENTS}) AS e
       ) AS latest_events
FROM predictions p {JOIN_NAMES} WHERE p.id = %s"""
STORE_LABEL = f"""
SELECT outcome, task, classes, current_label, current_by, {utc("labelled_at")} AS labelled_at
FROM label_prediction(%s, %s, %s, %s, %s)"""


@dataclass(frozen=True)
class Filter:
    """Criteria for predictions. A criterion of None matches all predictions.

    `since` (inclusive) and `until` (exclusive) apply to `created_at`.
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
    """Predictions in the database."""

    def __init__(self, database: Database, pending_bytes: Callable[[], int]) -> None:
        """`pending_bytes` returns the size of the log that is not in the database yet."""
        self._database = database
        self._pending_bytes = pending_bytes
        self._slots = threading.BoundedSemaphore(MAX_WAITING)

    def page(
        self, criteria: Filter, limit: int, cursor: str | None = None
    ) -> tuple[list[Record], str | None]:
        """Return a page of predictions, latest first, and its cursor if more follow, else None.

        Raises MalformedRequestError for an invalid cursor, and DatabaseUnavailableError.
        """
        before = read_cursor(cursor) if cursor is not None else None
        statement, arguments = page_query(criteria, limit + 1, before)
        rows = self._database.query(statement, arguments)
        items = [_item(row) for row in rows[:limit]]
        return items, _make_cursor(items[-1]) if len(rows) > limit else None

    def one(self, prediction_id: str) -> Record:
        """Return one prediction. Raises UnknownPredictionError and DatabaseUnavailableError."""
        rows = self._database.query(SELECT_ONE, [prediction_id])
        if not rows:
            raise UnknownPredictionError
        return _item(rows[0])

    def label(
        self,
        prediction_id: str,
        label: str,
        labelled_by: str,
        replaces: str | None,
        answers_request: int | None = None,
    ) -> Record:
        """Store the true label of a prediction's image. Waits for a prediction that may be pending.

        `answers_request` is the id of the label request that it answers. Raises
        UnrequestedLabelError, LabelConflictError, UnlabelableImageError, InvalidValueError,
        UnknownPredictionError, NotYetStoredError and DatabaseUnavailableError.
        """
        arguments = [prediction_id, label, labelled_by, replaces, answers_request]
        # Before the query, because the prediction may arrive after it
        may_be_pending = self._pending_bytes() > 0
        [row] = self._database.query(STORE_LABEL, arguments)
        if row["outcome"] == "unknown" and may_be_pending:
            row = self._label_on_arrival(arguments)
        outcome, current_label = row["outcome"], row["current_label"]
        if outcome == "unknown":
            raise UnknownPredictionError
        if outcome == "no class":
            raise InvalidValueError(
                f"Unknown label. Send one of {_join_classes(row['classes'])}.", "label"
            )
        if outcome == "no digit":
            raise UnlabelableImageError
        if outcome == "several digits":
            raise UnlabelableImageError(
                "The image has several digits, so one label does not describe it. "
                "Send a picture of each digit and label those."
            )
        if outcome == "no request":
            raise UnrequestedLabelError(path="answers_request")
        if outcome == "conflict":
            raise LabelConflictError(
                "The image has no label to replace. Send the request without `replaces`."
                if current_label is None
                else f"The image has the label {current_label}."
                " To replace it, send it as `replaces`.",
                "replaces",
            )
        return {
            "prediction_id": prediction_id,
            "task": row["task"],
            "label": current_label,
            "labelled_by": row["current_by"],
            "labelled_at": row["labelled_at"],
        }

    def _label_on_arrival(self, arguments: Sequence[Any]) -> Record:
        """Retry to store a label until its prediction has arrived or no prediction is pending."""
        if not self._slots.acquire(blocking=False):
            raise NotYetStoredError
        try:
            deadline = time.monotonic() + ARRIVAL_SECONDS
            while True:
                # Before the query, which then finds a prediction that arrives in between
                is_last = not self._pending_bytes()
                [row] = self._database.query(STORE_LABEL, arguments)
                if row["outcome"] != "unknown" or is_last:
                    return row
                if time.monotonic() >= deadline:
                    raise NotYetStoredError
                time.sleep(POLL_SECONDS)
        finally:
            self._slots.release()


def page_query(
    criteria: Filter, limit: int, before: tuple[datetime, str] | None
) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page and its arguments.

    `before` is the time and the id of the previous page's last prediction.
    """
    conditions = {
        "p.created_at >= %(since)s": criteria.since is not None,
        "p.created_at < %(until)s": criteria.until is not None,
        "(p.created_at, p.id) < (%(before)s, %(before_id)s)": before is not None,
        "p.disagrees": criteria.disagreement is True,
        "NOT p.disagrees": criteria.disagreement is False,
        "p.true_label IS NOT NULL": criteria.corrected is True or criteria.wrong is False,
        "p.true_label IS NULL": criteria.corrected is False,
        # The planner has statistics of this form, and knows by them that few are wrong.
        "(p.true_label <> p.label) IS TRUE": criteria.wrong is True,
        "(p.true_label <> p.label) IS FALSE": criteria.wrong is False,
    }
    where = [condition for condition, applies in conditions.items() if applies]
    arguments: dict[str, Any] = {
        "name": criteria.experiment_name,
        "version": criteria.version,
        "label": criteria.label,
        "since": criteria.since,
        "until": criteria.until,
        "limit": limit,
        "before": before and before[0],
        "before_id": before and before[1],
    }
    if criteria.experiment_name is None:
        where += ["p.label = %(label)s"] if criteria.label is not None else []
        rows = _select_rows(where)
    else:
        # Few predictions are disputed or corrected, and an index of these exists by version. The
        # index of all predictions is by version and label. There each label of each version yields
        # up to a page of rows, and the latest of all these rows are the page.
        is_rare = (
            criteria.disagreement is True
            or criteria.corrected is True
            or criteria.wrong is not None
        )
        ranges = (
            "SELECT m.id FROM model_versions m"
            if is_rare
            else "SELECT DISTINCT m.id, c.label"
            " FROM model_versions m, unnest(m.classes) AS c (label)"
        )
        ranges += " WHERE m.experiment_name = %(name)s"
        if criteria.version is not None:
            ranges += " AND m.version = %(version)s"
        where.append("p.model_version_id = r.id")
        if is_rare:
            where += ["p.label = %(label)s"] if criteria.label is not None else []
        else:
            ranges += " AND c.label = %(label)s" if criteria.label is not None else ""
            where.append("p.label = r.label")
        rows = (
            f"SELECT p.* FROM ({ranges}) AS r"
            f" CROSS JOIN LATERAL ({_select_rows(where)}) AS p {LATEST_FIRST} LIMIT %(limit)s"
        )
    return f"SELECT {NAMED} FROM ({rows}) AS p {JOIN_NAMES} {LATEST_FIRST}", arguments


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the time and the id of a cursor. Raises MalformedRequestError."""
    try:
        data = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        if len(data) != CURSOR_BYTES or _encode_cursor(data) != cursor:
            raise ValueError
        created_at = EPOCH + int.from_bytes(data[:8], signed=True) * MICROSECOND
        return created_at, str(uuid.UUID(bytes=data[8:]))
    except (ValueError, OverflowError, binascii.Error):
        raise MalformedRequestError(
            "Invalid cursor. Send `next` of an earlier response of this operation unchanged.",
            "cursor",
        ) from None


def _make_cursor(item: Record) -> str:
    microseconds = (datetime.fromisoformat(item["created_at"]) - EPOCH) // MICROSECOND
    prediction_id = uuid.UUID(item["prediction_id"])
    return _encode_cursor(microseconds.to_bytes(8, signed=True) + prediction_id.bytes)


def _encode_cursor(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _select_rows(where: Sequence[str]) -> str:
    conditions = f"WHERE {' AND '.join(where)} " if where else ""
    return f"SELECT {ROW} FROM predictions p {conditions}{LATEST_FIRST} LIMIT %(limit)s"


def _item(row: Record) -> Record:
    """Return a row as the API has it, with the probabilities by label."""
    probabilities = dict(zip(row["classes"], row["probabilities"], strict=True))
    return {
        name: probabilities if name == "probabilities" else value
        for name, value in row.items()
        if name != "classes"
    }


def _join_classes(classes: Sequence[str]) -> str:
    names = ", ".join(classes)
    if len(names.encode()) <= MAX_CLASSES_BYTES:
        return names
    return f"the {len(classes)} classes of GET /api/v1.0/models"
