"""Problem details: errors as application/problem+json (RFC 9457), for ASGI and for the wire.

At the paths of other programs' protocols, an error has the form that their clients read.
"""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Send

from inference.errors import ServiceError
from inference.server import protocol_paths
from inference.server.routes import is_mlflow
from servicekit.request_context import current_request_id

MEDIA_TYPE, JSON = "application/problem+json", "application/json"
# Codes of mlflow.protos.databricks_pb2, by the statuses of the errors that do not reach tracking.
MLFLOW_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    503: "TEMPORARILY_UNAVAILABLE",
}
# MLflow's scoring server has others than its tracking server.
SCORING_CODES = {
    **MLFLOW_CODES,
    400: "BAD_REQUEST",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "BAD_REQUEST",
    408: "BAD_REQUEST",
    431: "BAD_REQUEST",
    501: "NOT_IMPLEMENTED",
}


def encode_problem(problem: dict[str, Any], request_id: str | None = None) -> bytes:
    """Return the JSON of a problem; its `instance` names the request, by default the current."""
    instance = f"urn:mlops:request:{request_id or current_request_id()}"
    return orjson.dumps({**problem, "instance": instance})


def encode_error(
    error: ServiceError, path: str, request_id: str | None = None
) -> tuple[str, bytes]:
    """Return the media type and JSON of an error as the clients of a path read it."""
    protocol = protocol_paths.protocol_of(path)
    if is_mlflow(path) or protocol == protocol_paths.MLFLOW:
        codes = MLFLOW_CODES if protocol is None else SCORING_CODES
        code = codes.get(error.status, "INTERNAL_ERROR")
        return JSON, orjson.dumps({"error_code": code, "message": error.detail})
    if protocol is not None:
        return JSON, orjson.dumps({"error": error.detail})
    return MEDIA_TYPE, encode_problem(error.document(), request_id)


def problem_headers(error: ServiceError) -> list[tuple[bytes, bytes]]:
    """Return the headers that an error's response needs besides its type and length."""
    headers = list(error.headers)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"X-API-Key"))
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    return headers


async def send_problem(send: Send, error: ServiceError, path: str = "") -> None:
    """Answer an ASGI request that does not reach an operation."""
    media_type, body = encode_error(error, path)
    # After Retry-After, MLflow's tracking client gives up sooner than without.
    is_impatient = is_mlflow(path) and error.retry_after_seconds is not None
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *([] if is_impatient else problem_headers(error)),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wire_problem(error: ServiceError, request_id: bytes, path: str = "") -> bytes:
    """Return a whole HTTP/1.1 response, for a connection that ends with it."""
    media_type, body = encode_error(error, path, request_id.decode())
    head = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
        b"content-type: " + media_type.encode(),
        b"content-length: %d" % len(body),
        b"x-request-id: " + request_id,
        b"connection: close",
        *[b"%b: %b" % header for header in problem_headers(error)],
    ]
    return b"\r\n".join([*head, b"", body])
