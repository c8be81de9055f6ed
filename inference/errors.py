"""Every error that a caller can get, each a class with a status, a title and a detail that says
what to do.

A detail never repeats what the caller sent: an answer to bad input stays small and carries nobody's
text. How they become application/problem+json (RFC 9457) stands in problems.py.
"""

from typing import Any, ClassVar

Document = dict[str, Any]


class ServiceError(Exception):
    """An error with an answer.

    `detail` may be refined by the raiser; the class has the usual words.

    `path` says where in the request the fault is, with "/" between its steps, where that is one
    place.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    detail = "The service failed. The request id finds the cause in its log."
    retry_after_seconds: ClassVar[int | None] = None

    def __init__(self, detail: str | None = None, path: str | None = None) -> None:
        super().__init__(detail or self.detail)
        if detail is not None:
            self.detail = detail
        self.path = path

    def document(self) -> Document:
        """Return what a caller reads of it."""
        document = {
            "type": f"urn:mlops:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.path is None:
            return document
        return {**document, "errors": [{"path": self.path, "message": self.detail}]}


class MalformedRequestError(ServiceError):
    """400: the request itself is not as openapi.yaml says."""

    status = 400
    kind = "malformed-request"
    title = "Malformed request"
    detail = "The request is not as the API's document says; see /api/v1.0/ui/."


class KeyRequiredError(ServiceError):
    """401: the service has API keys, and the request has none of them."""

    status = 401
    kind = "key-required"
    title = "API key required"
    detail = "This operation needs an API key in the header X-API-Key; whoever runs the service hands them out."


class UntrustedOriginError(ServiceError):
    """403.

    The request comes under a name that is not the service's, or changes something for a page of
    another site.
    """

    status = 403
    kind = "foreign-site"
    title = "Foreign name or site"
    detail = "The service is not known by this name, or a page of another site asks; ALLOWED_HOSTS lists further names that may."


class UnknownExperimentError(ServiceError):
    """404: nothing of this name is known."""

    status = 404
    kind = "unknown-experiment"
    title = "Unknown experiment"
    detail = "No model of this name is served; GET /api/v1.0/models lists those that are."


class UnknownPredictionError(ServiceError):
    """404: the database has no prediction of this id."""

    status = 404
    kind = "unknown-prediction"
    title = "Unknown prediction"
    detail = "No prediction of this id is stored; GET /api/v1.0/predictions lists those that are."


class UnknownAliasError(ServiceError):
    """404: the task has no such alias."""

    status = 404
    kind = "unknown-alias"
    title = "Unknown alias"
    detail = "The task has no such alias; GET /api/v1.0/aliases lists those that there are, and PUT here makes one."


class UnknownImageError(ServiceError):
    """404: the image is unknown, or its original is not stored."""

    status = 404
    kind = "unknown-image"
    title = "Unknown image"
    detail = "No model has read an image of this digest; GET /api/v1.0/predictions names those that were read."


class RequestTimeoutError(ServiceError):
    """408: the request did not come to its end in time."""

    status = 408
    kind = "request-timeout"
    title = "Request timeout"
    detail = (
        "The request came too slowly; send it again over a faster connection, or in smaller parts."
    )


class LabelConflictError(ServiceError):
    """409: another label stands, and the request does not name it as the one to replace."""

    status = 409
    kind = "label-conflict"
    title = "Label conflict"


class AliasConflictError(ServiceError):
    """409: the alias cannot be moved there, as things are now."""

    status = 409
    kind = "alias-conflict"
    title = "Alias conflict"


class RequestTooLargeError(ServiceError):
    """413: more than one request may hold."""

    status = 413
    kind = "request-too-large"
    title = "Request too large"


class ImageTooLargeError(ServiceError):
    """413: more bytes than the service reads."""

    status = 413
    kind = "image-too-large"
    title = "Image too large"


class UnsupportedImageError(ServiceError):
    """415: the bytes are of no image type that the service reads."""

    status = 415
    kind = "unsupported-image"
    title = "Unsupported image type"
    detail = "The bytes are no PNG, JPEG, WebP, BMP or GIF."


class UnsupportedEncodingError(ServiceError):
    """415: a body that is compressed."""

    status = 415
    kind = "unsupported-encoding"
    title = "Unsupported Content-Encoding"
    detail = "Bodies are read as they are; send the request without Content-Encoding."


class UnreadableImageError(ServiceError):
    """422: an image type that the service reads, and yet this one cannot be used."""

    status = 422
    kind = "unreadable-image"
    title = "Unreadable image"


class InvalidValueError(ServiceError):
    """422: a value of the right place that cannot be used."""

    status = 422
    kind = "unusable-value"
    title = "Unusable value"


class HeadTooLargeError(ServiceError):
    """431: more headers, or a longer address, than are read."""

    status = 431
    kind = "head-too-large"
    title = "Request head too large"
    detail = "The request's line and headers are more than 64 KB; send less of them."


class OverloadedError(ServiceError):
    """503: as much is under way as the service takes on at once."""

    status = 503
    kind = "busy"
    title = "OverloadedError"
    detail = "The service has as many requests under way as it takes; try again in a second."
    retry_after_seconds = 1


class ModelNotReadyError(ServiceError):
    """503: the model is being compiled; asking again soon helps."""

    status = 503
    kind = "model-not-ready"
    title = "Model not ready"
    detail = "The model is being compiled; try again in a few seconds."
    retry_after_seconds = 2


class ModelFailedError(ServiceError):
    """503: the model's files cannot be served; only another model file helps."""

    status = 503
    kind = "model-failed"
    title = "Model failed"
    detail = "The model's files cannot be served; GET /api/v1.0/models says why."
    retry_after_seconds = 60


class DatabaseUnavailableError(ServiceError):
    """503: Postgres does not answer; predictions go on without it."""

    status = 503
    kind = "database-unavailable"
    title = "Database unavailable"
    detail = "Postgres does not answer. Predictions and /models work without it."
    retry_after_seconds = 5


class NotYetStoredError(ServiceError):
    """503: answers are still on their way into the database, and this may be one of them."""

    status = 503
    kind = "not-yet-stored"
    title = "Not yet stored"
    detail = "The prediction is not yet in the database; answers reach it within a second or so of being given."
    retry_after_seconds = 1


class ImagesUnavailableError(ServiceError):
    """503: the storage of the original images cannot be read now."""

    status = 503
    kind = "images-unavailable"
    title = "Images unavailable"
    detail = "The storage of the original images does not answer. Predictions and /models work without it."
    retry_after_seconds = 5


class JournalFullError(ServiceError):
    """503: what would be answered could not be kept."""

    status = 503
    kind = "journal-full"
    title = "Prediction log full"
    detail = "The log of predictions is full, for Postgres has been away for too long; try again when it is back."
    retry_after_seconds = 5
