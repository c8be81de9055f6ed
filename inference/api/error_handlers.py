"""Error handlers: exceptions of Connexion and of the service to application/problem+json.

The details are our own: Connexion's may repeat what the client sent.
"""

import functools
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

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
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not support this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"The body is too large. {SEE_DOCUMENT}",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "This operation does not accept this Content-Type.",
}
MULTIPART = "multipart/form-data"

logger = logging.getLogger(__name__)


class Accepted(NamedTuple):
    """What an operation takes.

    `query` and `body` are sentences, `field` is the body's first field, and `parameters` are the
    names of the query.
    """

    query: str = SEE_DOCUMENT
    body: str = SEE_DOCUMENT
    field: str = ""
    parameters: frozenset[str] = frozenset()


class Operations:
    """What each operation of the API's document takes, for errors that say it.

    `paths` are the document's, with resolved references.
    """

    def __init__(self, base_path: str = "", paths: Mapping[str, Any] | None = None) -> None:
        self._paths = [
            (
                re.compile(re.escape(base_path) + re.sub(r"\{\w+\}", "[^/]+", path)),
                {method.upper(): _accepted(operation) for method, operation in item.items()},
            )
            for path, item in (paths or {}).items()
        ]

    def find(self, request: ConnexionRequest) -> Accepted:
        """Return what the operation of a request takes."""
        method = "" if request is None else request.method
        return self._of_path(request).get(method, Accepted())

    def methods(self, request: ConnexionRequest) -> str:
        """Return the methods of a request's path, separated by commas."""
        methods = self._of_path(request)
        return ", ".join([*methods, "HEAD"] if "GET" in methods else methods)

    def _of_path(self, request: ConnexionRequest) -> dict[str, Accepted]:
        path = "" if request is None else request.url.path
        return next((item for pattern, item in self._paths if pattern.fullmatch(path)), {})


UNKNOWN = Operations()


def register(app: FlaskApp, metrics: Metrics, operations: Operations = UNKNOWN) -> None:
    """Register a handler for every exception that can reach Connexion."""

    def handle_journal_full(
        request: ConnexionRequest, error: JournalFullError
    ) -> ConnexionResponse:
        metrics.journal_refused.inc()
        return handle_service_error(request, error)

    app.add_error_handler(ServiceError, handle_service_error)
    app.add_error_handler(JournalFullError, handle_journal_full)
    app.add_error_handler(
        ProblemException, functools.partial(handle_connexion_problem, operations=operations)
    )
    app.add_error_handler(
        HTTPException, functools.partial(handle_http_status, operations=operations)
    )
    app.add_error_handler(MultiPartException, handle_broken_body)
    app.add_error_handler(UnicodeError, handle_broken_body)  # an unknown charset in Content-Type
    app.add_error_handler(RecursionError, handle_broken_body)  # JSON nested too deeply
    app.add_error_handler(Exception, handle_unexpected)


def handle_service_error(_request: ConnexionRequest, error: ServiceError) -> ConnexionResponse:
    """Answer with the error's own document."""
    headers = {name.decode(): value.decode() for name, value in problem_headers(error)}
    return _response(error.document(), headers)


def handle_connexion_problem(
    request: ConnexionRequest, error: ProblemException, operations: Operations = UNKNOWN
) -> ConnexionResponse:
    """Answer a request that Connexion rejected."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return handle_unexpected(request, error)
    if error.status != HTTPStatus.BAD_REQUEST:
        return handle_http_status(request, HTTPException(error.status), operations)
    return handle_service_error(request, _bad_request(error, operations.find(request)))


def handle_broken_body(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Answer a body that is not the multipart that its header declares, or has too many parts."""
    if isinstance(error, MultiPartException) and error.message.startswith("Too many"):
        return handle_service_error(
            request, RequestTooLargeError(f"The body has too many parts. {SEE_DOCUMENT}")
        )
    return handle_service_error(
        request,
        MalformedRequestError(
            "The body is not valid multipart/form-data with the boundary of its Content-Type. "
            "Leave both to the HTTP client: do not set this header yourself."
        ),
    )


def handle_http_status(
    request: ConnexionRequest, error: HTTPException, operations: Operations = UNKNOWN
) -> ConnexionResponse:
    """Answer a request without an operation: unknown path, wrong method, wrong content type."""
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    detail = DETAILS.get(status, MalformedRequestError.detail)
    field = ""
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        accepted = operations.find(request)
        detail, field = f"{detail} {accepted.body}", accepted.field
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = operations.methods(request)
        detail = f"{detail} Use {methods}." if methods else f"{detail} {SEE_DOCUMENT}"
        headers = {**headers, "allow": methods} if methods else headers
    problem = {
        "type": f"urn:mlops:problem:{status.phrase.lower().replace(' ', '-')}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    if field:
        problem["errors"] = [{"path": field, "message": detail}]
    return _response(problem, headers)


def handle_unexpected(request: ConnexionRequest, error: Exception) -> ConnexionResponse:
    """Log an unexpected exception with its traceback, and answer 500 without it."""
    logger.error("Request %s failed.", current_request_id(), exc_info=error)
    return handle_service_error(request, ServiceError())


def _accepted(operation: Mapping[str, Any]) -> Accepted:
    """Return what an operation of the document takes."""
    names = [field["name"] for field in operation.get("parameters", ()) if field["in"] == "query"]
    query = f"The known ones are {', '.join(names)}." if names else "This operation takes none."
    content = operation.get("requestBody", {}).get("content", {})
    fields = {media: list(body["schema"]["properties"]) for media, body in content.items()}
    if not fields:
        return Accepted(query)
    ways = [
        f"{media} with the file in the field {' or '.join(own)} (curl -F {own[0]}=@digit.png)"
        if media == MULTIPART
        else f"{media} with the field{'s' if len(own) > 1 else ''} {', '.join(own)}"
        for media, own in fields.items()
    ]
    field = next(iter(fields.values()))[0]
    return Accepted(query, f"Send {', or '.join(ways)}.", field, frozenset(names))


def _bad_request(error: ProblemException, accepted: Accepted) -> MalformedRequestError:
    query, body, field, parameters = accepted
    if isinstance(error, ExtraParameterProblem):
        if "formData" not in error.detail:
            return MalformedRequestError(f"The request has an unknown query parameter. {query}")
        for name in sorted(parameters.intersection(re.findall(r"\w+", error.detail))):
            detail = f"{name} is in the body. Send it in the query, such as ?{name}=champion."
            return MalformedRequestError(detail, name)
        return MalformedRequestError(
            f"The request has an unknown field in the body. {body}", field or None
        )
    fault = error.__context__
    if isinstance(fault, ValidationError):
        path = "/".join(map(str, fault.absolute_path))
        return MalformedRequestError(_schema_fault(fault, body), path or field)
    if error.detail == "RequestBody is required":
        advice = body if field else "Send one with a Content-Length."
        return MalformedRequestError(f"The request has no body. {advice}")
    return MalformedRequestError()


def _schema_fault(fault: ValidationError, body: str) -> str:
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return f"The request has no field {', '.join(missing)}. Add it."
    if fault.validator == "additionalProperties":
        known = ", ".join(fault.schema["properties"])
        return f"The request has an unknown field. The known fields are {known}."
    if fault.validator == "minProperties":
        return f"The request has no field in the body. {body}"
    if fault.validator == "maxProperties":
        return f"The request has files in two fields. Use one of them. {body}"
    if fault.validator == "type" and isinstance(fault.instance, list):
        return "The request has this field more than once. Send it once."
    return f"A value breaks the rule {fault.validator} of the API's document. {SEE_DOCUMENT}"


def _response(problem: dict[str, Any], headers: dict[str, str] | None = None) -> ConnexionResponse:
    body = encode_problem(problem)
    return ConnexionResponse(
        problem["status"], MEDIA_TYPE, MEDIA_TYPE, body=body, headers=headers or {}
    )
