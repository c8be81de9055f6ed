"""Errors -> application/problem+json (RFC 9457): the one place that decides how an error looks."""

import logging
from http import HTTPStatus
from typing import Any

import orjson
from connexion.exceptions import ExtraParameterProblem, ProblemException
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from jsonschema import ValidationError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Send

from inference.api.parameter_validator import FAULT
from inference.errors import MalformedRequestError, RequestTooLargeError, ServiceError
from servicekit.request_context import current_request_id

MEDIA_TYPE = "application/problem+json"

logger = logging.getLogger(__name__)


def of_service_error(_request: ConnexionRequest, error: ServiceError) -> ConnexionResponse:
    """Answer with what the error says of itself."""
    return _response(
        error.document(), {name.decode(): value.decode() for name, value in _headers(error)}
    )


async def send_problem(send: Send, error: ServiceError) -> None:
    """Answer an ASGI request that no operation sees."""
    body = _body(error.document())
    length = (b"content-length", b"%d" % len(body))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        length,
        (b"connection", b"close"),
        *_headers(error),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wire_problem(error: ServiceError, request_id: bytes) -> bytes:
    """Return a whole answer, head and body, for a connection that ends with it.

    What came there is no request to be called.
    """
    body = orjson.dumps(
        {**error.document(), "instance": f"urn:mlops:request:{request_id.decode()}"}
    )
    head = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(body),
        b"x-request-id: " + request_id,
        b"connection: close",
        *[b"%b: %b" % header for header in _headers(error)],
    ]
    return b"\r\n".join([*head, b"", body])


def _headers(error: ServiceError) -> list[tuple[bytes, bytes]]:
    """Return the headers that an error's answer needs besides its type."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b"X-API-Key")]
    return (
        []
        if error.retry_after_seconds is None
        else [(b"retry-after", b"%d" % error.retry_after_seconds)]
    )


def of_refusal(_request: ConnexionRequest, error: ProblemException) -> ConnexionResponse:
    """Answer a request that Connexion refused.

    Its own words may repeat what the caller sent, so they are put anew.
    """
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return of_failure(_request, error)
    if error.status != HTTPStatus.BAD_REQUEST:
        return of_status(_request, HTTPException(error.status))
    if isinstance(error, ExtraParameterProblem):
        place = "body has a field" if "formData" in error.detail else "query has a parameter"
        return of_service_error(
            _request,
            MalformedRequestError(
                f"The {place} that this operation does not take; see /api/v1.0/ui/."
            ),
        )
    fault = error.__context__
    if isinstance(fault, ValidationError):
        message = _schema_fault(fault)
        path = "/".join(map(str, fault.absolute_path))
        return _response(
            {
                **MalformedRequestError(message).document(),
                "errors": [{"path": path, "message": message}],
            }
        )
    if error.detail == "RequestBody is required":
        return of_service_error(
            _request,
            MalformedRequestError(
                "The request needs a body, and a Content-Length that says how long it is."
            ),
        )
    named = FAULT.fullmatch(str(error.detail))
    is_own_words = named is not None or str(error.detail).startswith("Missing ")
    refusal = MalformedRequestError(
        f"{error.detail}." if is_own_words else None, named[1] if named is not None else None
    )
    return of_service_error(_request, refusal)


def of_broken_body(_request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Answer a body that is no multipart, whatever its Content-Type says, or one of too many parts."""
    if isinstance(error, MultiPartException) and error.message.startswith("Too many"):
        return of_service_error(
            _request,
            RequestTooLargeError("The body has more parts than are read; see /api/v1.0/ui/."),
        )
    return of_service_error(
        _request,
        MalformedRequestError(
            "The body is no valid multipart/form-data with the boundary of its header."
        ),
    )


def of_status(_request: ConnexionRequest, error: HTTPException) -> ConnexionResponse:
    """Answer a request that no operation takes: unknown path, wrong method, wrong content type."""
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is no such address; /api/v1.0/ui/ shows those that are.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; see /api/v1.0/ui/.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has more parts, or more bytes, than are read; see /api/v1.0/ui/.",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This operation does not take this Content-Type; see /api/v1.0/ui/.",
    }
    problem = {
        "type": f"urn:mlops:problem:{status.phrase.lower().replace(' ', '-')}",
        "title": status.phrase,
        "status": int(status),
        "detail": details.get(status, MalformedRequestError.detail),
    }
    return _response(problem, dict(error.headers or {}))


def of_failure(_request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Answer an error that nobody expected, and log all of it."""
    logger.error("Request %s failed.", current_request_id(), exc_info=error)
    return of_service_error(_request, ServiceError())


def _schema_fault(fault: ValidationError) -> str:
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return f"The request lacks the field {', '.join(missing)}."
    if fault.validator == "additionalProperties":
        return (
            f"The request has a field that is not one of {', '.join(fault.schema['properties'])}."
        )
    if fault.validator == "type" and isinstance(fault.instance, list):
        return "The request has this field more than once."
    return f"A value breaks the rule {fault.validator} of the API's document."


def _response(problem: dict[str, Any], headers: dict[str, str] | None = None) -> ConnexionResponse:
    return ConnexionResponse(
        problem["status"], MEDIA_TYPE, MEDIA_TYPE, body=_body(problem), headers=headers or {}
    )


def _body(problem: dict[str, Any]) -> bytes:
    return orjson.dumps({**problem, "instance": f"urn:mlops:request:{current_request_id()}"})
