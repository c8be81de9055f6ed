"""/alerts: changes that the monitor found, their example images, and labels for them."""

from http import HTTPStatus
from typing import Any

import numpy as np

from inference.api.learning import fields
from inference.api.learning.fields import CLIENT
from inference.api.response_encoding import png_base64
from inference.api.validation import MAX_PERSON, MAX_REASON
from inference.database.monitoring.alerts import Alerts
from inference.database.monitoring.errors import UnknownAlertError
from inference.database.pool import Record
from inference.errors import Document, MalformedRequestError
from inference.preprocessing.digits import SIDE

CLOSED = "closed"
MAX_LABELS, DEFAULT_LABELS = 1000, 100


class AlertsApi:
    """The operations of the resource /alerts."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts

    def list_alerts(
        self,
        task: str | None = None,
        limit: int = 50,
        cursor: int | None = None,
        **keyword_parameters: bool,  # open: also a function of Python
    ) -> Document:
        """Return a page of alerts, latest first."""
        is_open = keyword_parameters.get("open")
        alerts, following = self._alerts.page(
            fields.optional_task(task), is_open=is_open, limit=limit, before=fields.before(cursor)
        )
        return {"alerts": alerts, "next": following}

    def get_alert(self, alert_id: int) -> Document:
        """Return an alert with its example images."""
        alert = self._alerts.one(_id(alert_id))
        return {**alert, "examples": [_example(row) for row in self._alerts.examples(alert_id)]}

    def close_alert(self, alert_id: int, document: Any) -> Document:
        """Close an alert."""
        fields.only(document, ("state", "by", "reason"))
        if document.get("state") != CLOSED:
            raise MalformedRequestError(f"state must be {CLOSED}.", "state")
        by = fields.text(document, "by", MAX_PERSON, CLIENT)
        reason = fields.text(document, "reason", MAX_REASON)
        self._alerts.close(_id(alert_id), by, reason)
        return self._alerts.one(alert_id)

    def request_alert_labels(self, alert_id: int, document: Any) -> tuple[Document, int]:
        """Ask for the labels of images since the onset of an alert, and of random images."""
        fields.only(document, ("images", "by"))
        images = fields.whole(document, "images", (2, MAX_LABELS), DEFAULT_LABELS)
        by = fields.text(document, "by", MAX_PERSON, CLIENT)
        asked = self._alerts.request_labels(_id(alert_id), images, by)
        return {"alert_id": alert_id, **asked}, HTTPStatus.CREATED.value


def _id(alert_id: int) -> int:
    return fields.row_id(alert_id, UnknownAlertError)


def _example(row: Record) -> Document:
    """Return an example whose pixels are a PNG in base64, None if they have expired."""
    example = {key: row[key] for key in row if key != "pixels"}
    pixels = row["pixels"]
    if pixels is None:
        return {**example, "view": None}
    image = np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)
    return {**example, "view": png_base64(image).decode()}
