"""Unmodified clients of the serving protocols, against the real service and Postgres.

The clients run as programs of their own, all at once. Their answers must be those of raw LiteRT.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest

from tests.support.client_service import MAX_REQUEST_BYTES, Service, run_service
from tests.support.database import connect
from tests.support.protocol_clients import LOCKS, read_report, start_program
from tests.unit.inference.conftest import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
TOLERANCE = 1e-5
PATIENCE_SECONDS = 30
CHAMPION, NEWEST, LENET = "digits/1", "digits/2", "lenet/1"
# Programs of the prediction log: the first product in the user agents of the clients.
SOURCES = {
    "tritonclient_sync": "python/gevent-http-client",
    "tritonclient_aio": "Python/",
    "kserve_rest": "python-httpx/",
    "mlflow_scoring": "python-requests/",
}
METADATA = {
    "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
}
INDEX = [("digits", "1"), ("digits", "2"), ("lenet", "1")]
EXTENSIONS = ["binary_tensor_data", "classification", "model_repository", "parameters"]
SHAPE = "The shape must be [n,28,28]"
TOO_LARGE = f"The body is larger than {MAX_REQUEST_BYTES} bytes."
REFUSALS = {
    "unknown model": "Unknown model. See GET /api/v1.0/models",
    "unknown version": "Unknown version. See GET /api/v1.0/models",
    "version not a number": "version",
    "shape": SHAPE,
    "fractions": "by 255",
    "NaN": "a whole number from 0 to 255",
    "negative": "a whole number from 0 to 255",
    "bool": "The datatype must be one of",
    "bfloat16": "The datatype must be one of",
    "output": "The name of the output must be probabilities",
    "columns": "784 columns",
    "too many images": "at most 1000 images",
    "too large": TOO_LARGE,
    "no key": "X-API-Key",
    "wrong host": "ALLOWED_HOSTS",
    "statistics": "not implemented",
    "configuration": "not implemented",
    "trace": "not implemented",
    "shared memory": "not implemented",
    "load": "The model directory decides",
    "unload": "The model directory decides",
}
TOP_CLASSES = 3
CLIENTS = sorted(LOCKS)

Reports = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def service(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with run_service(tmp_path_factory.mktemp("service"), module_database) as running:
        yield running


@pytest.fixture(scope="module")
def reports(service: Service) -> Reports:
    """The reports of all programs."""
    description, netrc = service.description(), str(service.netrc)
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(start_program(name, description, NETRC=netrc))
            for name in LOCKS
        }
        return {name: read_report(program) for name, program in programs.items()}


def model_of(client: str, check: str) -> str:
    """Return the model that a check asks for."""
    if check.startswith(("lenet", "other model")):
        return LENET
    is_champion = any(part in check for part in ("version 1", "version in the name", "alias"))
    return CHAMPION if is_champion or client == "mlflow_scoring" else NEWEST


@pytest.mark.parametrize("client", CLIENTS)
def test_answers_are_those_of_litert(client: str, reports: Reports, service: Service) -> None:
    differences, versions = {}, {}
    for check, answer in reports[client]["answers"].items():
        model = model_of(client, check)
        expected = service.expected(model, halved=check.startswith("halved"))
        found = np.array(answer["probabilities"])
        difference = np.abs(found - expected[: len(found)]).max()
        if not difference <= TOLERANCE:
            differences[check] = difference
        # MLflow's client drops what says the version.
        if answer["version"] != (None if client == "mlflow_scoring" else model[-1]):
            versions[check] = answer["version"]
    assert (differences, versions) == ({}, {})


@pytest.mark.parametrize("client", CLIENTS)
def test_client_raises_with_our_sentence(client: str, reports: Reports) -> None:
    wrong = {
        check: message
        for check, message in reports[client]["errors"].items()
        if sentence_of(client, check) not in message or "decoding the response" in message
    }
    assert wrong == {}


def sentence_of(client: str, check: str) -> str:
    """Return a part of the error that a check expects."""
    if check == "NaN, JSON" or (check == "NaN" and client == "mlflow_scoring"):
        return "NaN and Infinity are not JSON"
    if check == "unknown model, ping":
        return "404"  # the client does not read this body
    name = check.removeprefix("v1 ").removeprefix("v2 ").removesuffix(", JSON")
    return REFUSALS[name.removesuffix(" ready")]


@pytest.mark.parametrize("client", ["tritonclient_sync", "tritonclient_aio"])
def test_tritonclient_reads_metadata(client: str, reports: Reports, service: Service) -> None:
    facts = reports[client]["facts"]
    ready = {check: found for check, found in facts.items() if check.endswith(("ready", "live"))}
    assert ready == {check: not check.startswith("unknown") for check in ready}
    assert set(facts["server"]["extensions"]) == set(EXTENSIONS)
    model = facts["model"]
    assert (model["name"], model["versions"]) == ("digits", ["1", "2"])
    assert {key: model[key] for key in METADATA} == METADATA
    index = [(one["name"], one["version"], one["state"]) for one in facts["index"]]
    assert sorted(index) == [(*one, "READY") for one in INDEX]
    for row, probabilities in zip(
        facts["classification"], service.expected(NEWEST)[:2], strict=True
    ):
        best = np.argsort(-probabilities)[:TOP_CLASSES].tolist()
        found = [text.split(":") for text in row]
        assert [(int(index), label) for _, index, label in found] == [(n, str(n)) for n in best]
        values = [float(value) for value, _, _ in found]
        assert values == pytest.approx(probabilities[best].tolist(), abs=TOLERANCE)


def test_facts_of_the_other_clients(reports: Reports) -> None:
    triton, kserve = reports["tritonclient_sync"]["facts"], reports["kserve_rest"]["facts"]
    assert triton["ids"] == ["request 1", None]
    assert triton["status"] == "404"
    assert kserve.pop("id") == "request 1"
    assert kserve.pop("v2 unknown model ready") is False
    assert set(kserve.values()) == {True}
    assert reports["mlflow_scoring"]["facts"]["version"]


def test_answers_are_rows_in_sql(reports: Reports, module_database: dict[str, str]) -> None:
    """Every answer of a client has its protocol, and the client's program as its source."""
    sql = "SELECT protocol, source, count(*) FROM prediction_events GROUP BY 1, 2"
    expected: dict[tuple[str, str], int] = {}
    for client, source in SOURCES.items():
        report = reports[client]
        rows = {name: len(one["probabilities"]) for name, one in report["answers"].items()}
        for name, count in rows.items():
            key = protocol_of(client, name), source
            expected[key] = expected.get(key, 0) + count
        if classified := len(report["facts"].get("classification", [])):
            expected["oip", source] += classified

    with closing(connect(module_database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def logged() -> dict[tuple[str, str], int]:
            cursor.execute(sql)
            return {
                (protocol, known): count
                for protocol, source, count in cursor.fetchall()
                for known in SOURCES.values()
                if source.startswith(known)
            }

        eventually(lambda: sum(logged().values()) >= sum(expected.values()), PATIENCE_SECONDS)
        assert logged() == expected


def protocol_of(client: str, check: str) -> str:
    """Return the protocol of a check, as the prediction log names it."""
    if client == "mlflow_scoring":
        return "mlflow"
    return "tfs" if check.startswith("v1 ") else "oip"
