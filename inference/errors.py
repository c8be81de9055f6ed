"""Errors: every error that a client can get, with its status, title and detail.

A detail says what is wrong, then what to do. It never repeats what the client sent: a response to
bad input stays small and carries no text of a third party. inference/server/problem_details.py
encodes errors as application/problem+json (RFC 9457).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

Document = dict[str, Any]


class ServiceError(Exception):
    """An error with a response.

    The class has the usual detail; an instance may have a more precise one. `headers` are further
    ones of the response. `path` is the place of
    the fault in the request, steps separated by "/", where it is a single place.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    detail = "The service failed. Search its log for the request id."
    retry_after_seconds: ClassVar[int | None] = None
    headers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, detail: str | None = None, path: str | None = None) -> None:
        super().__init__(detail or self.detail)
        if detail is not None:
            self.detail = detail
        self.path = path

    def document(self) -> Document:
        """Return the fields of the problem document."""
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
    """400: the request does not follow openapi.yaml."""

    status = 400
    kind = "malformed-request"
    title = "Malformed request"
    detail = "The request does not follow the API's document. See /api/v1.0/ui/."


class KeyRequiredError(ServiceError):
    """401: the service has API keys, and the request has none of them."""

    status = 401
    kind = "key-required"
    title = "API key required"
    detail = "This operation needs an API key in the header X-API-Key. Ask the operator for one."


class UntrustedOriginError(ServiceError):
    """403: an unknown Host, or a change requested by a page of another site."""

    status = 403
    kind = "foreign-site"
    title = "Foreign name or site"
    detail = (
        "The Host or Origin of the request is not trusted. "
        "Use a local name, or add the name to ALLOWED_HOSTS."
    )


class UnknownExperimentError(ServiceError):
    """404: the name is unknown."""

    status = 404
    kind = "unknown-experiment"
    title = "Unknown experiment"
    detail = "Unknown model. See GET /api/v1.0/models for the available models."


class UnknownPredictionError(ServiceError):
    """404: the database has no prediction with this id."""

    status = 404
    kind = "unknown-prediction"
    title = "Unknown prediction"
    detail = "Unknown prediction id. See GET /api/v1.0/predictions for the stored predictions."


class UnknownAliasError(ServiceError):
    """404: the task has no such alias."""

    status = 404
    kind = "unknown-alias"
    title = "Unknown alias"
    detail = (
        "The task has no alias of this name. "
        "See GET /api/v1.0/aliases, or create it with PUT on this path."
    )


class UnknownImageError(ServiceError):
    """404: the image is unknown, or its original is not stored."""

    status = 404
    kind = "unknown-image"
    title = "Unknown image"
    detail = "Unknown image digest. See GET /api/v1.0/predictions for the stored ones."


class RequestTimeoutError(ServiceError):
    """408: the request did not arrive in full in time."""

    status = 408
    kind = "request-timeout"
    title = "Request timeout"
    detail = "The request arrived too slowly. Use a faster connection, or send less in one request."


class LabelConflictError(ServiceError):
    """409: the image has another label, which the request does not name as the one to replace."""

    status = 409
    kind = "label-conflict"
    title = "Label conflict"


class UnlabelableImageError(ServiceError):
    """409: the image has a warning, so no label describes it. Blank images are all one image."""

    status = 409
    kind = "unlabelable-image"
    title = "Image without a label"
    detail = (
        "The service found no digit in the image, so it takes no label. "
        "Send a picture of the digit and label that."
    )


class AliasConflictError(ServiceError):
    """409: the alias cannot be moved to this version now."""

    status = 409
    kind = "alias-conflict"
    title = "Alias conflict"


class RequestTooLargeError(ServiceError):
    """413: the request exceeds a limit of size or number."""

    status = 413
    kind = "request-too-large"
    title = "Request too large"


class ImageTooLargeError(ServiceError):
    """413: the image has more bytes than the service reads."""

    status = 413
    kind = "image-too-large"
    title = "Image too large"


class UnsupportedImageError(ServiceError):
    """415: the file is not of a supported image type."""

    status = 415
    kind = "unsupported-image"
    title = "Unsupported image type"
    # The formats of inference.preprocessing.decoding.
    detail = "The file is not a supported image (PNG, JPEG, WebP, BMP or GIF)."


class UnsupportedEncodingError(ServiceError):
    """415: the body is compressed."""

    status = 415
    kind = "unsupported-encoding"
    title = "Unsupported Content-Encoding"
    detail = "Compressed bodies are not supported. Send the request without Content-Encoding."


class UnreadableImageError(ServiceError):
    """422: the image is of a supported type and cannot be used."""

    status = 422
    kind = "unreadable-image"
    title = "Unreadable image"


class InvalidValueError(ServiceError):
    """422: a value has the wrong type or range."""

    status = 422
    kind = "unusable-value"
    title = "Unusable value"


class HeadTooLargeError(ServiceError):
    """431: the request line and headers are too long."""

    status = 431
    kind = "head-too-large"
    title = "Request head too large"
    detail = "The request line and headers are larger than 64 KB. Send fewer or shorter headers."


class OverloadedError(ServiceError):
    """503: the service has as many requests in progress as it accepts."""

    status = 503
    kind = "busy"
    title = "Busy"
    detail = "Too many requests are in progress. Try again in a second."
    retry_after_seconds = 1


class ModelNotReadyError(ServiceError):
    """503: the model is being compiled; a retry soon succeeds."""

    status = 503
    kind = "model-not-ready"
    title = "Model not ready"
    detail = "The model is being compiled. Try again in a few seconds."
    retry_after_seconds = 2


class ModelFailedError(ServiceError):
    """503: the model's files cannot be served; only another file helps."""

    status = 503
    kind = "model-failed"
    title = "Model failed"
    detail = "The model's files cannot be served. See GET /api/v1.0/models for the reason."
    retry_after_seconds = 60


class DatabaseUnavailableError(ServiceError):
    """503: Postgres does not answer; predictions work without it."""

    status = 503
    kind = "database-unavailable"
    title = "Database unavailable"
    detail = "Postgres does not answer. Predictions and /models work without it; try again soon."
    retry_after_seconds = 5


class NotYetStoredError(ServiceError):
    """503: predictions are still on their way to the database; this may be one of them."""

    status = 503
    kind = "not-yet-stored"
    title = "Not yet stored"
    detail = "The prediction is not in the database yet. Try again in a second."
    retry_after_seconds = 1


class ImagesUnavailableError(ServiceError):
    """503: the storage of original images cannot be read now."""

    status = 503
    kind = "images-unavailable"
    title = "Images unavailable"
    detail = "The storage of original images does not answer. Try again in a few seconds."
    retry_after_seconds = 5


class JournalFullError(ServiceError):
    """503: the prediction could not be logged."""

    status = 503
    kind = "journal-full"
    title = "Prediction log full"
    detail = (
        "The prediction log is full because Postgres is unavailable. Try again when it is back."
    )
    retry_after_seconds = 5


class UnsupportedVersionError(ServiceError):
    """505: the request is of another version of HTTP."""

    status = 505
    kind = "unsupported-version"
    title = "HTTP version not supported"
    detail = "The service speaks HTTP/1.1 and HTTP/1.0. Set the client to HTTP/1.1."
