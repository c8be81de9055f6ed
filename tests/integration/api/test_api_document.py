"""API documents: responses conform to them for requests that schemathesis generates.

openapi.yaml, and the documents of the serving protocols.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from db.initialize import set_up
from db.settings import from_environment
from inference.api.connexion_app import ROUTES
from inference.protocols import routes
from local import ports

pytestmark = pytest.mark.slow

START_SECONDS = 60
EXAMPLES = 25
MIN_SUCCEEDED = 5
# A harmless request outside the document may be answered all the same, such as one with an odd
# header.
LENIENT = {"positive_data_acceptance", "negative_data_rejection"}
KEY = "the-key-of-the-tests"
PROTOCOLS = sorted(Path(routes.__file__).parent.glob("*.yaml"))
MODEL = "mnist_experiment_12__lenet5"
READING_POSTS = {"POST /v2/repository/index"}
# Operations that change runs. The schema cannot say that names and texts are printable, and that a
# run has to exist, so their requests are mended, and some of them have to succeed.
CREATE = "POST /experiments"
RUN_WRITES = {CREATE, "PATCH /experiments/{experiment_name}",
              "POST /experiments/{experiment_name}/points"}  # fmt: skip
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


@pytest.fixture(scope="module", params=["with a database", "without one", "with keys"])
def api_url(
    request: pytest.FixtureRequest,
    postgres_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A running service over the shipped models."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres_environment.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        port = ports.find_free()
        variables = {
            "API_PORT": str(port),
            "COMPILED_DIR": str(tmp_path_factory.mktemp("compiled")),
            "JOURNAL_DIR": str(tmp_path_factory.mktemp("journal")),
            "IMAGES_URL": str(tmp_path_factory.mktemp("images")),
            "TRACKING": "1",
            "PGUSER": "mlops_app",
            "PGPASSWORD": "pass123",
        }
        if request.param == "without one":
            variables["PGHOST"] = str(tmp_path_factory.mktemp("no-postgres"))
        if request.param == "with keys":
            keys = tmp_path_factory.mktemp("keys") / "keys"
            keys.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()} the tests\n")
            variables["API_KEYS_FILE"] = str(keys)
        log = (tmp_path_factory.mktemp("log") / "inference.prediction_log.recorder").open("w")
        with (
            log,
            subprocess.Popen(
                [sys.executable, "-m", "inference"], env={**os.environ, **variables}, stderr=log
            ) as service,
        ):
            url = f"http://localhost:{port}/api/v1.0"
            try:
                _wait_until_ready(url, service, Path(log.name))
                yield url
            finally:
                service.terminate()


def _wait_until_ready(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        assert service.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def operations(api_url: str) -> list[Any]:
    """Return the documented operations of the service."""
    found = schemathesis.openapi.from_url(f"{api_url}/openapi.json").get_all_operations()
    return [result.ok() for result in found if isinstance(result, Ok)]


def protocol_operations() -> list[Any]:
    """Return the documented operations of the serving protocols, one of all that are not kept."""
    found = [
        result.ok()
        for path in PROTOCOLS
        for result in schemathesis.openapi.from_path(path).get_all_operations()
        if isinstance(result, Ok)
    ]
    not_kept = [one for one in found if is_not_kept(one)]
    return [one for one in found if one not in not_kept[1:]]


def is_not_kept(operation: Any) -> bool:
    return "501" in operation.definition.raw["responses"]


def start_run(api_url: str, headers: dict[str, str]) -> str:
    """Start a run and return its run id, as soon as the tracking process answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        document = {"name": "generated"}
        response = requests.post(
            f"{api_url}/experiments", json=document, headers=headers, timeout=10
        )
        if response.ok:
            return str(response.json()["run_id"])
        assert time.monotonic() < deadline, response.text
        time.sleep(0.1)


def mended(case: schemathesis.Case[Any], run_id: str) -> schemathesis.Case[Any]:
    """Return a case of RUN_WRITES for an existing run, with printable texts."""
    case.body = printable(case.body)
    if "experiment_name" in case.path_parameters:
        case.path_parameters["experiment_name"] = run_id
    return case


def printable(value: Any) -> Any:
    """Return JSON with printable texts. Names are not empty."""
    if isinstance(value, str):
        return "".join(filter(str.isprintable, value))
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key) or "key": printable(item) for key, item in value.items()}
    return value


def test_every_response_is_as_documented(api_url: str, request: pytest.FixtureRequest) -> None:
    # Without a database a documented 503 is correct; any other 5xx is not documented.
    has_database = "without one" not in request.node.name
    lenient = LENIENT if has_database else LENIENT | {"not_a_server_error"}
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in lenient]
    headers = {"X-API-Key": KEY} if "with keys" in request.node.name else {}
    run_id = start_run(api_url, headers) if has_database else "0" * 32
    succeeded: Counter[str] = Counter()
    assert len(operations(api_url)) > 15

    for operation in operations(api_url):
        cases = operation.as_strategy()
        if operation.label in RUN_WRITES:
            cases = cases.map(lambda case: mended(case, run_id))

        @SETTINGS
        @given(case=cases)
        def answers_as_documented(case: schemathesis.Case[Any]) -> None:
            response = case.call(headers=headers, timeout=10)
            assert response.status_code != 401
            case.validate_response(response, checks=checks)
            succeeded[case.operation.label] += response.status_code < 300

        answers_as_documented()
    if has_database:
        counts = {label: succeeded[label] for label in RUN_WRITES}
        assert min(counts.values()) >= MIN_SUCCEEDED, counts


@pytest.mark.parametrize("api_url", ["with keys"], indirect=True)
@pytest.mark.parametrize("key", [None, "another-key"])
def test_client_without_a_key_reads_what_is_not_private(api_url: str, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    for operation in operations(api_url):

        @SETTINGS
        @given(case=operation.as_strategy())
        def needs_a_key_unless_it_reads(case: schemathesis.Case[Any]) -> None:
            status = case.call(headers=headers, timeout=10).status_code
            assert status < 500
            is_private = case.path.split("/")[1] in ROUTES.private_reads
            assert (status == 401) == (case.method != "GET" or is_private)

        needs_a_key_unless_it_reads()


def with_model(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Return a case whose model exists, for half of the generated names."""
    name = case.path_parameters.get("name", "")
    if len(name) % 2:
        case.path_parameters["name"] = MODEL
        if "version" in case.path_parameters:
            case.path_parameters["version"] = "1"
    return case


def check_responses(operation: Any, root: str, headers: dict[str, str]) -> None:
    """Check responses of an operation of a serving protocol against its document."""
    lenient = LENIENT | ({"not_a_server_error"} if is_not_kept(operation) else set())
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in lenient]

    @SETTINGS
    @given(case=operation.as_strategy().map(with_model))
    def answers_as_documented(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=root, headers=headers, timeout=10)
        assert response.status_code != 401
        case.validate_response(response, checks=checks)

    answers_as_documented()


def check_access(operation: Any, root: str) -> None:
    """Check that an operation needs a key unless it reads."""
    is_read = operation.method.upper() == "GET" or operation.label in READING_POSTS

    @SETTINGS
    @given(case=operation.as_strategy())
    def needs_a_key_unless_it_reads(case: schemathesis.Case[Any]) -> None:
        status = case.call(base_url=root, timeout=10).status_code
        assert (status == 401) != is_read

    needs_a_key_unless_it_reads()


@pytest.mark.parametrize("api_url", ["with a database", "with keys"], indirect=True)
def test_every_response_of_a_protocol_is_as_documented(
    api_url: str, request: pytest.FixtureRequest
) -> None:
    headers = {"X-API-Key": KEY} if "with keys" in request.node.name else {}
    operations = protocol_operations()
    assert len(operations) > 30
    for operation in operations:
        check_responses(operation, api_url.removesuffix("/api/v1.0"), headers)


@pytest.mark.parametrize("api_url", ["with keys"], indirect=True)
def test_protocol_without_a_key_only_describes(api_url: str) -> None:
    for operation in protocol_operations():
        check_access(operation, api_url.removesuffix("/api/v1.0"))
