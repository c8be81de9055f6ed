"""Problem details: errors as application/problem+json (RFC 9457), for ASGI and for the wire."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Send

from inference.errors import ServiceError
from inference.server.routes import is_mlflow
from servicekit.request_context import current_request_id

MEDIA_TYPE = "application/problem+json"
# Codes of mlflow.protos.databricks_pb2, by the statuses of the errors that do not reach tracking.
MLFLOW_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    503: "TEMPORARILY_UNAVAILABLE",
}


def encode_problem(problem: dict[str, Any], request_id: str | None = None) -> bytes:
    """Return the JSON of a problem; its `instance` names the request, by default the current."""
    instance = f"urn:mlops:request:{request_id or current_request_id()}"
    return orjson.dumps({**problem, "instance": instance})


def encode_mlflow_error(error: ServiceError) -> bytes:
    """Return the JSON of an error as MLflow's clients read it."""
    code = MLFLOW_CODES.get(error.status, "INTERNAL_ERROR")
    return orjson.dumps({"error_code": code, "message": error.detail})


def problem_headers(error: ServiceError) -> list[tuple[bytes, bytes]]:
    """Return the headers that an error's response needs besides its type and length."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b"X-API-Key")]
    if error.retry_after_seconds is None:
        return []
    return [(b"retry-after", b"%d" % error.retry_after_seconds)]


async def send_problem(send: Send, error: ServiceError, path: str = "") -> None:
    """Answer an ASGI request that does not reach an operation, at MLflow's paths as MLflow does."""
    if is_mlflow(path):
        media_type, body = "application/json", encode_mlflow_error(error)
        # After Retry-After, MLflow's client gives up sooner than without.
        more_headers = [] if error.retry_after_seconds is not None else problem_headers(error)
    else:
        media_type, body = MEDIA_TYPE, encode_problem(error.document())
        more_headers = problem_headers(error)
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *more_headers,
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wire_problem(error: ServiceError, request_id: bytes) -> bytes:
    """Return a whole HTTP/1.1 response, for a connection that ends with it."""
    body = encode_problem(error.document(), request_id.decode())
    head = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(body),
        b"x-request-id: " + request_id,
        b"connection: close",
        *[b"%b: %b" % header for header in problem_headers(error)],
    ]
    return b"\r\n".join([*head, b"", body])
