"""Delivery of a run's records to the service. Each request may be repeated.

A record that the service refuses is divided until only the refused part is left, which is dropped
with a warning.
"""

import logging
from collections.abc import Mapping
from typing import Any

from ml_ops_starter_client.api import (
    FIRST_ERROR,
    Api,
    ApiProblemError,
    ApiUnreachableError,
    experiment_path,
)
from ml_ops_starter_client.records import Change, Entries, Record, chunks

NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, FIRST_SERVER_ERROR = 404, 405, 413, 500
# Conditions that pass without another record: a missing key, a timeout, a limit of requests.
TEMPORARY = (401, 403, METHOD_NOT_ALLOWED, 408, 425, 429)

logger = logging.getLogger(__name__)


class AwayError(Exception):
    """The service stores nothing at present. The message says why; the records must be kept."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RunRefusedError(Exception):
    """The service refused to create the run. The message is its sentence."""


class Delivery:
    """Delivery of one run."""

    def __init__(self, api: Api, new_run: Mapping[str, Any]) -> None:
        self.api = api
        self.name = str(new_run["name"])
        self.is_created = False
        self._new_run = new_run
        self._path = experiment_path(str(new_run["run_id"]))
        self._warned: set[str] = set()

    def create(self) -> None:
        """Create the run; the service returns the same one for its run_id.

        Raises:
            AwayError: the service cannot create it now.
            RunRefusedError: the service will not create it.

        """
        try:
            created = self.api.send("POST", "/experiments", self._new_run)
        except ApiUnreachableError as error:
            raise AwayError(str(error)) from error
        except ApiProblemError as error:
            if _is_temporary(error) or error.status == NOT_FOUND:
                raise AwayError(error.detail, error.retry_after) from error
            raise RunRefusedError(error.detail) from error
        if not isinstance(created, dict) or "name" not in created:
            raise AwayError(f"{self.api.url} is another service. Set MLOPS_URL to the stack's API.")
        self.name = str(created["name"])
        self.is_created = True

    def send(self, record: Record) -> None:
        """Send a record. Raises AwayError and RunRefusedError."""
        if not self.is_created:
            self.create()
        try:
            self._send(record)
        except ApiProblemError as error:
            if error.status == NOT_FOUND:
                self._send_again(record)
            else:
                self._divide(record, error)

    def keep_alive(self) -> None:
        """Tell the service that the run goes on. Raises AwayError and RunRefusedError."""
        self.send(Entries())

    def _send(self, record: Record) -> None:
        """Send a record. Raises AwayError, and ApiProblemError for a lasting problem."""
        try:
            if isinstance(record, Change):
                self.api.send("PATCH", self._path, record.document())
            else:
                self.api.send("POST", self._path + "/points", record.document())
        except ApiUnreachableError as error:
            raise AwayError(str(error)) from error
        except ApiProblemError as error:
            if _is_temporary(error):
                raise AwayError(error.detail, error.retry_after) from error
            raise

    def _send_again(self, record: Record) -> None:
        """Create a run that the service no longer has, and send the record."""
        self.create()
        try:
            self._send(record)
        except ApiProblemError as error:
            if error.status == NOT_FOUND:
                raise AwayError(error.detail) from error
            self._divide(record, error)

    def _divide(self, record: Record, problem: ApiProblemError) -> None:
        """Send the parts of a refused record, or drop it if it has none."""
        parts = _parts(record, by_size=problem.status == TOO_LARGE)
        if len(parts) > 1:
            for part in parts:
                self.send(part)
            return
        subject = _subject(record)
        if subject not in self._warned:
            self._warned.add(subject)
            logger.warning("Run %s: %s is not stored. %s", self.name, subject, problem.detail)


def _is_temporary(error: ApiProblemError) -> bool:
    return (
        error.status >= FIRST_SERVER_ERROR
        or error.status < FIRST_ERROR  # a redirect
        or error.status in TEMPORARY
    )


def _parts(record: Record, *, by_size: bool) -> list[Record]:
    """Divide a record by what it concerns, or a large one by the number of points."""
    if isinstance(record, Change):
        tags = record.fields.get("tags")
        if not isinstance(tags, Mapping):
            return [record]
        return [Change({"tags": {key: value}}) for key, value in tags.items()]
    if by_size and len(record.points) > 1:
        halves = chunks(record.points, (len(record.points) + 1) // 2)
        rest = [Entries((), record.params, record.tags)] if record.params or record.tags else []
        return [*(Entries(half) for half in halves), *rest]
    metrics = dict.fromkeys(point.metric for point in record.points)
    return [
        *(Entries([point for point in record.points if point.metric == name]) for name in metrics),
        *(Entries((), {key: value}) for key, value in record.params.items()),
        *(Entries((), {}, {key: value}) for key, value in record.tags.items()),
    ]


def _subject(record: Record) -> str:
    """Name what cannot be divided."""
    if isinstance(record, Change):
        tags = record.fields.get("tags")
        names = [f"tag {key}" for key in tags] if isinstance(tags, Mapping) else record.fields
        return " and ".join(names)
    if record.points:
        return f"metric {record.points[0].metric}"
    return next(
        (f"parameter {key}" for key in record.params),
        next((f"tag {key}" for key in record.tags), "an empty record"),
    )
