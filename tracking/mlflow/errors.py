"""Error documents of MLflow: an error code that its clients know, and a message."""

import orjson
from starlette.responses import Response

from tracking.errors import (
    ChangedParamError,
    ConflictError,
    InvalidError,
    NameTakenError,
    TooLargeError,
    TrackingError,
    UnavailableError,
    UnknownArtifactError,
    UnknownProjectError,
    UnknownRunError,
)


class UnknownEndpointError(TrackingError):
    """404: the address is not part of the supported API."""

    status = 404
    kind = "unknown-endpoint"
    title = "Unknown endpoint"
    detail = (
        "This MLflow endpoint is not supported. doc/tracking.md lists those that are. To serve a "
        "model, publish it with make publish."
    )


class UnsupportedError(TrackingError):
    """501: the operation exists in MLflow and not here."""

    status = 501
    kind = "unsupported"
    title = "Unsupported"
    detail = "This operation is not supported. doc/tracking.md lists those that are."


# The first class that an error is an instance of decides. MLflow's own server answers the same
# statuses; its clients show the message and repeat a request after 408, 429 and 5xx except 501.
CODES: tuple[tuple[type[TrackingError], int, str], ...] = (
    (UnknownRunError, 404, "RESOURCE_DOES_NOT_EXIST"),
    (UnknownProjectError, 404, "RESOURCE_DOES_NOT_EXIST"),
    (UnknownArtifactError, 404, "RESOURCE_DOES_NOT_EXIST"),
    (UnknownEndpointError, 404, "ENDPOINT_NOT_FOUND"),
    (NameTakenError, 400, "RESOURCE_ALREADY_EXISTS"),
    (ChangedParamError, 400, "INVALID_PARAMETER_VALUE"),
    (ConflictError, 400, "INVALID_STATE"),
    (InvalidError, 400, "INVALID_PARAMETER_VALUE"),
    (TooLargeError, 413, "BAD_REQUEST"),
    (UnavailableError, 503, "TEMPORARILY_UNAVAILABLE"),
    (UnsupportedError, 501, "NOT_IMPLEMENTED"),
)


def encode_error(error: TrackingError) -> Response:
    """Return the error as MLflow encodes it.

    Without Retry-After: MLflow's client then repeats a request with growing pauses for about four
    minutes. With it, the client gives up after seven times that pause.
    """
    status, code = next(
        ((status, code) for error_type, status, code in CODES if isinstance(error, error_type)),
        (500, "INTERNAL_ERROR"),
    )
    body = orjson.dumps({"error_code": code, "message": error.detail})
    return Response(body, status, media_type="application/json")
