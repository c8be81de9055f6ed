"""/label-requests: images whose label is asked for; and the withdrawal of a label."""

import re
from typing import Any

from inference.api import validation
from inference.api.learning import fields
from inference.api.validation import MAX_PERSON
from inference.database.learning.errors import UnknownLabelRequestError
from inference.database.learning.label_requests import FIRST, LabelRequests
from inference.errors import Document, MalformedRequestError

CURSOR_PATTERN = re.compile(r"([1-9])\.([0-9]{1,18})")
MAX_ASKED = 1000


class LabelRequestsApi:
    """The operations of the resource /label-requests, and the withdrawal of labels."""

    def __init__(self, requests: LabelRequests) -> None:
        self._requests = requests

    def list_label_requests(
        self, task: str, limit: int = 50, cursor: str | None = None
    ) -> Document:
        """Return a page of open requests, most useful first."""
        task = fields.task(task)
        after = FIRST if cursor is None else _place(cursor)
        requests, last = self._requests.page(task, limit, after)
        following = None if last is None else f"{last[0]}.{last[1]}"
        return {"requests": requests, "next": following, **self._requests.of_task(task)}

    def request_labels(self, document: Any) -> tuple[Document, int]:
        """Ask for the labels of some logged images, drawn at random."""
        fields.only(document, ("task", "images", "by"))
        task = fields.task(validation.text(document, "task", 32))
        images = fields.whole(document, "images", (1, MAX_ASKED))
        by = validation.text(document, "by", MAX_PERSON)
        return {"task": task, "asked": self._requests.ask(task, images, by)}, 201

    def skip_label_request(self, request_id: int, document: Any) -> Document:
        """Skip a request that cannot be answered."""
        by = validation.text(fields.only(document, ("by",)), "by", MAX_PERSON)
        self._requests.skip(fields.row_id(request_id, UnknownLabelRequestError), by)
        return {"request_id": request_id, "skipped_by": by}

    def withdraw_label(self, prediction_id: str, withdrawn_by: str) -> Document:
        """Withdraw the correct label of a prediction's image."""
        prediction_id = validation.identity(prediction_id, "prediction_id")
        by = validation.text({"withdrawn_by": withdrawn_by}, "withdrawn_by", MAX_PERSON)
        self._requests.withdraw(prediction_id, by)
        return {"prediction_id": prediction_id, "label": None, "withdrawn_by": by}


def _place(cursor: str) -> tuple[int, int]:
    found = CURSOR_PATTERN.fullmatch(cursor)
    if found is None or not cursor.isascii():
        raise MalformedRequestError(
            "Invalid cursor. Send `next` of an earlier response of this operation unchanged.",
            "cursor",
        )
    return int(found[1]), int(found[2])
