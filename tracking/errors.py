"""Errors of the tracking process: every error that a client can get, with its status and detail.

A detail says what is wrong, then what to do. The native API encodes them as problem details,
`tracking/mlflow` as MLflow's error documents.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class TrackingError(Exception):
    """An error with a response.

    `path` is the place of the fault in the request, steps separated by "/". `extra` are further
    fields of the problem document.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    detail = "The service failed. Search its log for the request id."
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(
        self,
        detail: str | None = None,
        path: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.detail)
        if detail is not None:
            self.detail = detail
        self.path = path
        self.extra = dict(extra or {})


class InvalidError(TrackingError):
    """400: the request does not follow the API."""

    status = 400
    kind = "malformed-request"
    title = "Malformed request"
    detail = "The request does not follow the API's document. See /api/v1.0/ui/."


class UnknownRunError(TrackingError):
    """404: no run has this name or run id."""

    status = 404
    kind = "unknown-experiment"
    title = "Unknown experiment"
    detail = "No experiment has this name or run id. See GET /api/v1.0/experiments."


class UnknownProjectError(TrackingError):
    """404: no project has this name or id."""

    status = 404
    kind = "unknown-project"
    title = "Unknown project"
    detail = "No project has this name or id. Create it first."


class UnknownArtifactError(TrackingError):
    """404: the run has no artifact at this path."""

    status = 404
    kind = "unknown-artifact"
    title = "Unknown artifact"
    detail = "The run has no artifact at this path. List its artifacts first."


class ConflictError(TrackingError):
    """409: the request contradicts what is stored."""

    status = 409
    kind = "conflict"
    title = "Conflict"
    detail = "The request contradicts what is stored. Read it again, then repeat the change."


class ChangedParamError(ConflictError):
    """409: a parameter has another value already."""

    kind = "changed-parameter"
    title = "Parameter has another value"
    detail = "A parameter of this run has another value. Start a new run to change it."


class NameTakenError(ConflictError):
    """409: another experiment or project has the name, or had it."""

    kind = "name-taken"
    title = "Name taken"
    detail = "Another experiment has this name, or had it before. Choose another name."


class HasModelsError(ConflictError):
    """409: an experiment with models cannot be renamed."""

    kind = "has-models"
    title = "Experiment has models"
    detail = "Models belong to their experiment by name. Remove its models before a rename."


class ChangedNoteError(ConflictError):
    """409: the note was changed since the client read it. `extra` has note and note_revision."""

    kind = "changed-note"
    title = "Note changed"
    detail = "The note was changed since it was read. Merge it with the current one, then repeat."


class TooLargeError(TrackingError):
    """413: the body or a file is larger than its limit."""

    status = 413
    kind = "request-too-large"
    title = "Request too large"
    detail = "The body is larger than the limit. Send less in one request."


class UnsupportedTypeError(TrackingError):
    """415: the body is not JSON."""

    status = 415
    kind = "unsupported-media-type"
    title = "Unsupported Media Type"
    detail = "The body is not JSON. Send it with Content-Type: application/json."


class UnavailableError(TrackingError):
    """503: Postgres or the object storage does not answer."""

    status = 503
    kind = "database-unavailable"
    title = "Database unavailable"
    detail = "Postgres does not answer. Nothing was stored. Repeat the request later."
    retry_after_seconds = 2
