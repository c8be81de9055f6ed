"""Error handlers: exceptions of Connexion and of the service to application/problem+json.

The details are our own: Connexion's may repeat what the client sent.
"""

import logging
from http import HTTPStatus
from typing import Any

from connexion import FlaskApp
from connexion.exceptions import ExtraParameterProblem, ProblemException
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from jsonschema import ValidationError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from inference.errors import (
    JournalFullError,
    MalformedRequestError,
    RequestTooLargeError,
    ServiceError,
)
from inference.observability.metrics import Metrics
from inference.server.problem_details import MEDIA_TYPE, encode_problem, problem_headers
from servicekit.request_context import current_request_id

SEE_DOCUMENT = "See /api/v1.0/ui/."
DETAILS = {
    HTTPStatus.NOT_FOUND: f"Unknown path. {SEE_DOCUMENT}",
    HTTPStatus.METHOD_NOT_ALLOWED: f"This path does not support this method. {SEE_DOCUMENT}",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body is too large. {SEE_DOCUMENT}",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        f"This operation does not accept this Content-Type. {SEE_DOCUMENT}"
    ),
}

logger = logging.getLogger(__name__)


def register(app: FlaskApp, metrics: Metrics) -> None:
    """Register a handler for every exception that can reach Connexion."""

    def handle_journal_full(
        request: ConnexionRequest, error: JournalFullError
    ) -> ConnexionResponse:
        metrics.journal_refused.inc()
        return handle_service_error(request, error)

    app.add_error_handler(ServiceError, handle_service_error)
    app.add_error_handler(JournalFullError, handle_journal_full)
    app.add_error_handler(ProblemException, handle_connexion_problem)
    app.add_error_handler(HTTPException, handle_http_status)
    app.add_error_handler(MultiPartException, handle_broken_body)
    app.add_error_handler(UnicodeError, handle_broken_body)  # an unknown charset in Content-Type
    app.add_error_handler(RecursionError, handle_broken_body)  # JSON nested too deeply
    app.add_error_handler(Exception, handle_unexpected)


def handle_service_error(_request: ConnexionRequest, error: ServiceError) -> ConnexionResponse:
    """Answer with the error's own document."""
    headers = {name.decode(): value.decode() for name, value in problem_headers(error)}
    return _response(error.document(), headers)


def handle_connexion_problem(
    request: ConnexionRequest, error: ProblemException
) -> ConnexionResponse:
    """Answer a request that Connexion rejected."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return handle_unexpected(request, error)
    if error.status != HTTPStatus.BAD_REQUEST:
        return handle_http_status(request, HTTPException(error.status))
    return handle_service_error(request, _bad_request(error))


def handle_broken_body(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Answer a body that is not the multipart that its header declares, or has too many parts."""
    if isinstance(error, MultiPartException) and error.message.startswith("Too many"):
        return handle_service_error(
            request, RequestTooLargeError(f"The body has too many parts. {SEE_DOCUMENT}")
        )
    return handle_service_error(
        request,
        MalformedRequestError(
            "The body is not valid multipart/form-data with the boundary of its Content-Type."
        ),
    )


def handle_http_status(_request: ConnexionRequest, error: HTTPException) -> ConnexionResponse:
    """Answer a request without an operation: unknown path, wrong method, wrong content type."""
    status = HTTPStatus(error.status_code)
    problem = {
        "type": f"urn:mlops:problem:{status.phrase.lower().replace(' ', '-')}",
        "title": status.phrase,
        "status": int(status),
        "detail": DETAILS.get(status, MalformedRequestError.detail),
    }
    return _response(problem, dict(error.headers or {}))


def handle_unexpected(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Log an unexpected exception with its traceback, and answer 500 without it."""
    logger.error("Request %s failed.", current_request_id(), exc_info=error)
    return handle_service_error(request, ServiceError())


def _bad_request(error: ProblemException) -> MalformedRequestError:
    if isinstance(error, ExtraParameterProblem):
        place = "field in the body" if "formData" in error.detail else "query parameter"
        return MalformedRequestError(f"The request has an unknown {place}. {SEE_DOCUMENT}")
    fault = error.__context__
    if isinstance(fault, ValidationError):
        return MalformedRequestError(_schema_fault(fault), "/".join(map(str, fault.absolute_path)))
    if error.detail == "RequestBody is required":
        return MalformedRequestError("The request has no body. Send one with a Content-Length.")
    return MalformedRequestError()


def _schema_fault(fault: ValidationError) -> str:
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return f"The request has no field {', '.join(missing)}. Add it."
    if fault.validator == "additionalProperties":
        known = ", ".join(fault.schema["properties"])
        return f"The request has an unknown field. The known fields are {known}."
    if fault.validator == "type" and isinstance(fault.instance, list):
        return "The request has this field more than once. Send it once."
    return f"A value breaks the rule {fault.validator} of the API's document. {SEE_DOCUMENT}"


def _response(problem: dict[str, Any], headers: dict[str, str] | None = None) -> ConnexionResponse:
    body = encode_problem(problem)
    return ConnexionResponse(
        problem["status"], MEDIA_TYPE, MEDIA_TYPE, body=body, headers=headers or {}
    )
