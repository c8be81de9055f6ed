"""Queries of label requests: images whose label is asked for, most useful first."""

from inference.database.learning.errors import (
    LabelRequestConflictError,
    NoLabelError,
    UnknownLabelRequestError,
)
from inference.database.pool import Database, Record, utc
from inference.errors import UnknownPredictionError

OPEN = "r.answered_at IS NULL AND r.skipped_at IS NULL"
USEFULNESS = ["disagreement", "random", "novel"]
RANK = f"array_position(ARRAY{USEFULNESS}, r.why)"
# The prediction is the champion's if it has one, else the first of the task. Its label is left out:
# it would suggest an answer.
SELECT_PAGE = f"""
SELECT r.id AS request_id, r.task, r.image_digest, r.run_id, r.why, r.requested_by,
       {utc("r.asked_at")} AS asked_at, i.original_url IS NOT NULL AS has_original, {RANK} AS rank,
       (SELECT p.id::text FROM predictions p WHERE p.image_id = r.image_id AND p.task = r.task
        ORDER BY p.model_version_id = (
            SELECT m.id FROM aliases a JOIN model_versions m
            ON m.experiment_name = a.experiment_name AND m.version = a.version
            WHERE a.task = r.task AND a.alias = 'champion' AND m.status = 'READY'
            ORDER BY m.first_seen_at DESC LIMIT 1) DESC NULLS LAST, p.created_at LIMIT 1
       ) AS prediction_id
FROM label_requests r JOIN images i ON i.id = r.image_id
WHERE {OPEN} AND r.task = %(task)s AND ({RANK}, r.id) > (%(rank)s, %(after)s)
ORDER BY {RANK}, r.id LIMIT %(limit)s
"""
SELECT_TASK = f"""
SELECT (SELECT count(*) FROM label_requests r WHERE {OPEN} AND r.task = %(task)s) AS open,
       (SELECT classes FROM tasks WHERE task = %(task)s) AS classes
"""
REQUEST = "SELECT request_labels(%s, %s, %s) AS asked"
SKIP = "SELECT skip_label_request(%s, %s) AS outcome"
WITHDRAW = "SELECT withdraw_label(%s, %s) AS outcome"
FIRST = (0, 0)  # the place before all requests: rank and id


class LabelRequests:
    """Label requests in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, task: str, limit: int, after: tuple[int, int] = FIRST
    ) -> tuple[list[Record], tuple[int, int] | None]:
        """Return a page of open requests, and the place of its last one if more follow, else None.

        A place is the rank of a request's reason and its id; the requests are behind `after`.
        Raises DatabaseUnavailableError.
        """
        arguments = {"task": task, "rank": after[0], "after": after[1], "limit": limit + 1}
        rows = self._database.query(SELECT_PAGE, arguments)
        places = [(row["rank"], row["request_id"]) for row in rows]
        requests = [{key: row[key] for key in row if key != "rank"} for row in rows[:limit]]
        return requests, places[limit - 1] if len(rows) > limit else None

    def of_task(self, task: str) -> Record:
        """Return the number of open requests, and the classes of the task, None if it is unknown.

        Raises DatabaseUnavailableError.
        """
        return self._database.query(SELECT_TASK, {"task": task})[0]

    def ask(self, task: str, images: int, requested_by: str) -> int:
        """Ask for the labels of up to so many random logged images; return their number.

        Raises LabelRequestConflictError if there is none, and DatabaseUnavailableError.
        """
        asked: int = self._database.query(REQUEST, [task, images, requested_by])[0]["asked"]
        if not asked:
            raise LabelRequestConflictError(
                "No image of the task is left to ask for: an image needs a stored original, and"
                " has neither a label, nor a warning, nor an earlier request."
            )
        return asked

    def skip(self, request_id: int, skipped_by: str) -> None:
        """Skip a request that cannot be answered.

        Raises UnknownLabelRequestError, LabelRequestConflictError and DatabaseUnavailableError.
        """
        [row] = self._database.query(SKIP, [request_id, skipped_by])
        if row["outcome"] == "unknown":
            raise UnknownLabelRequestError
        if row["outcome"] == "over":
            raise LabelRequestConflictError("The request was answered or skipped before.")

    def withdraw(self, prediction_id: str, withdrawn_by: str) -> None:
        """Withdraw the current label of a prediction's image. A request it answered is open again.

        Raises UnknownPredictionError, NoLabelError and DatabaseUnavailableError.
        """
        [row] = self._database.query(WITHDRAW, [prediction_id, withdrawn_by])
        if row["outcome"] == "unknown":
            raise UnknownPredictionError
        if row["outcome"] == "no label":
            raise NoLabelError
