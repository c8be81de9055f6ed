"""Error handlers: every exception becomes a small problem that does not repeat the request."""

import json
import logging
from typing import Any, cast

import pytest
from connexion.exceptions import (
    BadRequestProblem,
    ExtraParameterProblem,
    ProblemException,
)
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from connexion.spec import Specification
from jsonschema import Draft7Validator
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from inference.api import error_handlers
from inference.api.connexion_app import ROUTES, SPECIFICATION
from inference.errors import JournalFullError, KeyRequiredError, OverloadedError, ServiceError
from inference.observability.metrics import Metrics

REQUEST = cast("ConnexionRequest", None)
SECRET = "secret"


def document(response: ConnexionResponse) -> dict[str, Any]:
    """Return the problem of a response."""
    problem: dict[str, Any] = json.loads(response.body)
    assert response.status_code == problem["status"]
    assert response.mimetype == "application/problem+json"
    assert SECRET not in str(response.body)
    assert problem["instance"].startswith("urn:mlops:request:")
    return problem


def schema_problem(schema: dict[str, Any], instance: Any) -> ProblemException:
    """Return the exception that Connexion raises for a body that breaks a schema."""
    [fault] = Draft7Validator(schema).iter_errors(instance)
    try:
        try:
            raise fault
        except type(fault):
            raise BadRequestProblem(detail=SECRET)  # noqa: B904  # Connexion sets the context alone
    except ProblemException as problem:
        return problem


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (OverloadedError(), {"retry-after": "1"}),
        (KeyRequiredError(), {"www-authenticate": "X-API-Key"}),
        (ServiceError(), {}),
    ],
)
def test_service_error_is_its_own_document(error: ServiceError, headers: dict[str, str]) -> None:
    response = error_handlers.handle_service_error(REQUEST, error)
    problem = document(response)
    assert {name: response.headers.get(name) for name in headers} == headers
    assert {**error.document(), "instance": problem["instance"]} == problem


@pytest.mark.parametrize(
    ("schema", "instance", "detail", "path"),
    [
        (
            {"required": ["a", "b"]},
            {"a": SECRET},
            "The request has no field b. Add it.",
            "",
        ),
        (
            {"properties": {"a": {}, "b": {}}, "additionalProperties": False},
            {SECRET: 1},
            "The request has an unknown field. The known fields are a, b.",
            "",
        ),
        (
            {"properties": {"a": {"type": "string"}}},
            {"a": [SECRET, SECRET]},
            "The request has this field more than once. Send it once.",
            "a",
        ),
        (
            {"properties": {"a": {"items": {"maxLength": 1}}}},
            {"a": ["x", SECRET]},
            "A value breaks the rule maxLength of the API's document. See /api/v1.0/ui/.",
            "a/1",
        ),
    ],
)
def test_schema_fault_has_detail_and_path(
    schema: dict[str, Any], instance: Any, detail: str, path: str
) -> None:
    problem = document(
        error_handlers.handle_connexion_problem(REQUEST, schema_problem(schema, instance))
    )
    assert (problem["status"], problem["errors"]) == (400, [{"path": path, "message": detail}])


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            ExtraParameterProblem(param_type="query", extra_params=[SECRET]),
            "The request has an unknown query parameter. See /api/v1.0/ui/.",
        ),
        (
            ExtraParameterProblem(param_type="formData", extra_params=[SECRET]),
            "The request has an unknown field in the body. See /api/v1.0/ui/.",
        ),
        (
            BadRequestProblem(detail="RequestBody is required"),
            "The request has no body. Send one with a Content-Length.",
        ),
        (
            BadRequestProblem(detail=SECRET),
            "The request does not follow the API's document. See /api/v1.0/ui/.",
        ),
    ],
)
def test_connexion_problem_gets_our_own_detail(error: ProblemException, detail: str) -> None:
    problem = document(error_handlers.handle_connexion_problem(REQUEST, error))
    assert (problem["status"], problem["detail"]) == (400, detail)


def test_connexion_problem_of_another_status_keeps_it() -> None:
    error = ProblemException(status=415, detail=SECRET)
    problem = document(error_handlers.handle_connexion_problem(REQUEST, error))
    assert (problem["status"], problem["type"]) == (415, "urn:mlops:problem:unsupported-media-type")


def test_connexion_server_error_is_logged_as_unexpected(caplog: pytest.LogCaptureFixture) -> None:
    failure = ProblemException(status=500, detail=SECRET)
    problem = document(error_handlers.handle_connexion_problem(REQUEST, failure))
    assert problem["type"] == "urn:mlops:problem:internal-error"
    assert "failed" in caplog.text


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415])
def test_http_status_has_a_problem_of_its_name(status: int) -> None:
    error = HTTPException(status, detail=SECRET, headers={"allow": "GET"})
    response = error_handlers.handle_http_status(REQUEST, error)
    problem = document(response)
    assert (problem["status"], response.headers["allow"]) == (status, "GET")
    assert (
        problem["type"].removeprefix("urn:mlops:problem:").replace("-", " ")
        == str(problem["title"]).lower()
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MultiPartException(SECRET), 400),
        (MultiPartException("Too many files. Maximum number of files is 1000."), 413),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, SECRET), 400),
        (RecursionError(SECRET), 400),
    ],
)
def test_broken_body_is_a_client_error(error: Exception, status: int) -> None:
    assert document(error_handlers.handle_broken_body(REQUEST, error))["status"] == status


def test_unexpected_error_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        problem = document(error_handlers.handle_unexpected(REQUEST, ValueError(SECRET)))
    assert problem["status"] == 500
    assert SECRET in caplog.text


def test_register_counts_refusals_of_a_full_journal() -> None:
    handlers: dict[type[Exception], Any] = {}

    class App:
        def add_error_handler(self, kind: type[Exception], handler: Any) -> None:
            handlers[kind] = handler

    metrics = Metrics()
    error_handlers.register(cast("Any", App()), metrics)
    problem = document(handlers[JournalFullError](REQUEST, JournalFullError()))
    assert (problem["status"], "mlops_journal_refused_total 1.0" in metrics.text()) == (503, True)
    assert Exception in handlers


def asked(method: str, path: str) -> ConnexionRequest:
    """Return a request of a path below the API's base path."""
    scope = {
        "type": "http",
        "method": method,
        "path": ROUTES.base_path + path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    return ConnexionRequest(scope)


OPERATIONS = error_handlers.Operations(ROUTES.base_path, Specification.load(SPECIFICATION)["paths"])
BODIES = {
    ("POST", "/inference"): (
        (
            "Send multipart/form-data with the file in the field image_blob or images "
            "(curl -F image_blob=@digit.png)."
        ),
        "image_blob",
    ),
    ("POST", "/predictions"): (
        (
            "Send multipart/form-data with the file in the field images or image_blob "
            "(curl -F images=@digit.png), or application/json with the field images."
        ),
        "images",
    ),
    ("PUT", "/predictions/1/label"): (
        "Send application/json with the fields label, labelled_by, replaces, answers_request.",
        "label",
    ),
    ("PUT", "/aliases/mnist/champion"): (
        "Send application/json with the fields experiment_name, version, reason, moved_by.",
        "experiment_name",
    ),
    ("POST", "/aliases/mnist/champion/rollback"): (
        "Send application/json with the fields reason, moved_by.",
        "reason",
    ),
}


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "error",
    [
        ProblemException(status=415, detail=SECRET),
        ExtraParameterProblem(param_type="formData", extra_params=[SECRET]),
        BadRequestProblem(detail="RequestBody is required"),
        schema_problem({"minProperties": 1}, {}),
        schema_problem({"maxProperties": 1}, {"a": 1, SECRET: 2}),
    ],
    ids=["type", "field", "no body", "no field", "two fields"],
)
def test_wrong_body_is_told_what_the_operation_takes(
    method: str, path: str, error: ProblemException
) -> None:
    body, field = BODIES[method, path]
    response = error_handlers.handle_connexion_problem(asked(method, path), error, OPERATIONS)
    problem = document(response)
    assert problem["detail"].endswith(body)
    if "no body" not in problem["detail"]:  # without a body, no field is at fault
        assert problem["errors"] == [{"path": field, "message": problem["detail"]}]
    assert len(response.body) <= 1024


def test_name_of_an_experiment_in_the_body_belongs_in_the_query() -> None:
    for name in ("experiment_name", "experiments"):
        error = ExtraParameterProblem(param_type="formData", extra_params=[name, SECRET])
        problem = document(
            error_handlers.handle_connexion_problem(asked("POST", "/inference"), error, OPERATIONS)
        )
        assert problem["errors"][0]["path"] == name
        assert f"Send it in the query, such as ?{name}=champion." in problem["detail"]


def test_unknown_query_parameter_is_told_the_known_ones() -> None:
    error = ExtraParameterProblem(param_type="query", extra_params=[SECRET])
    details = [
        document(error_handlers.handle_connexion_problem(request, error, OPERATIONS))["detail"]
        for request in (asked("POST", "/predictions"), asked("GET", "/models"))
    ]
    assert details == [
        f"The request has an unknown query parameter. {known}"
        for known in (
            "The known ones are experiments, experiment_name, view, log.",
            "This operation takes none.",
        )
    ]


def test_wrong_method_is_told_the_methods_of_its_path() -> None:
    error = HTTPException(405, headers={"allow": "POST"})
    response = error_handlers.handle_http_status(asked("PUT", "/predictions"), error, OPERATIONS)
    assert document(response)["detail"].endswith("Use POST, GET, HEAD.")
    assert response.headers["allow"] == "POST, GET, HEAD"
