"""Connexion application: handlers get bodies and types, and openapi.yaml is bound completely."""

from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from starlette.testclient import TestClient

from inference.api.connexion_app import (
    ROUTES,
    SPECIFICATION,
    create_connexion_app,
)
from inference.errors import OverloadedError
from inference.observability.metrics import Metrics
from inference.originals.reader import Original

BASE = ROUTES.base_path
DOCUMENT = yaml.safe_load(SPECIFICATION.read_text())
OPERATIONS = {
    operation["operationId"]
    for path in DOCUMENT["paths"].values()
    for operation in path.values()
    if isinstance(operation, dict) and "operationId" in operation
}


PRIVATE = {
    "predictions", "images", "aliases", "imports", "inference", "load_new_data", "uploads",
    "datasets", "retrain", "score", "runs", "schedules", "label-requests", "evaluations",
    "explanations", "monitors", "alerts",
}  # fmt: skip


class UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]
    """Loader that refuses a key that a mapping has twice: the last one would win."""


def construct_mapping(loader: UniqueKeys, node: yaml.MappingNode) -> Any:
    keys = [key.value for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"line {node.start_mark.line}: {sorted(keys)}"
    return loader.construct_mapping(node, deep=True)


UniqueKeys.add_constructor("tag:yaml.org,2002:map", construct_mapping)


def test_document_has_no_key_twice() -> None:
    assert yaml.load(SPECIFICATION.read_text(), UniqueKeys) == DOCUMENT  # noqa: S506


def predict(*, document: Any = None, is_stream: bool = False, **_arguments: Any) -> Any:
    if is_stream:
        return iter([b"1\n", b"2\n"])
    return b'{"document":%r}' % (document is not None)


def move_alias(task: str, alias: str, document: Any) -> Any:
    return {"task": task, "alias": alias, "document": document}


def readiness() -> tuple[dict[str, str], int]:
    return {"status": "starting"}, 503


def refuse(**_arguments: Any) -> Any:
    raise OverloadedError


def fail(**_arguments: Any) -> Any:
    raise ValueError("secret")


HANDLERS: dict[str, Any] = {
    **dict.fromkeys(OPERATIONS, refuse),
    "predict": predict,
    "move_alias": move_alias,
    "readiness": readiness,
    "metrics": lambda: "a_metric 1\n",
    "get_image": lambda image_digest: Original(image_digest.encode(), "image/png"),
    "list_models": fail,
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    @asynccontextmanager
    async def lifespan(_app: Any) -> Any:
        yield

    app = create_connexion_app(HANDLERS, Metrics(), lifespan)
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running


def test_missing_handler_is_found_at_the_start() -> None:
    incomplete = dict.fromkeys(OPERATIONS - {"infer"}, refuse)

    @asynccontextmanager
    async def lifespan(_app: Any) -> Any:
        yield

    app = create_connexion_app(incomplete, Metrics(), lifespan)
    with pytest.raises(KeyError, match="infer"), TestClient(app):
        pass


def test_routes_name_the_first_segment_of_every_path() -> None:
    segments = {path.strip("/").split("/", 1)[0] for path in DOCUMENT["paths"]}
    assert segments <= ROUTES.operations
    assert ROUTES.operations - segments == {"ui"}
    assert ROUTES.always_admitted <= ROUTES.operations


def test_json_body_reaches_the_handler(client: TestClient) -> None:
    response = client.put(f"{BASE}/aliases/mnist/champion", json={"a": 1})
    assert response.json() == {"task": "mnist", "alias": "champion", "document": {"a": 1}}
    broken = client.put(
        f"{BASE}/aliases/mnist/champion", content="{", headers={"Content-Type": "application/json"}
    )
    assert broken.json()["document"] == {}


def test_body_of_null_is_json_and_not_a_form(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.post(f"{BASE}/predictions", content=b"null", headers=headers)
    assert response.content == b'{"document":True}'


@pytest.mark.parametrize(
    ("accept", "media_type", "body"),
    [
        ("*/*", "application/json", b'{"document":True}'),
        ("application/x-ndjson", "application/x-ndjson", b"1\n2\n"),
        ("application/x-ndjson;q=0.5, application/json", "application/json", b'{"document":True}'),
    ],
)
def test_accept_chooses_document_or_lines(
    client: TestClient, accept: str, media_type: str, body: bytes
) -> None:
    response = client.post(f"{BASE}/predictions", json={}, headers={"Accept": accept})
    assert (response.headers["content-type"], response.content) == (media_type, body)


def test_status_of_a_tuple_is_that_of_the_response(client: TestClient) -> None:
    response = client.get(f"{BASE}/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "starting"})


def test_text_is_plain_text(client: TestClient) -> None:
    response = client.get(f"{BASE}/metrics")
    assert (response.headers["content-type"].split(";")[0], response.text) == (
        "text/plain",
        "a_metric 1\n",
    )


def test_original_has_its_type_and_is_never_sniffed(client: TestClient) -> None:
    response = client.get(f"{BASE}/images/{'0' * 64}")
    assert (response.content, response.headers["content-type"]) == (b"0" * 64, "image/png")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "private, max-age=86400, immutable"


def test_errors_of_handlers_are_problems(client: TestClient) -> None:
    refused = client.get(f"{BASE}/imports")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    failed = client.get(f"{BASE}/models")
    assert failed.status_code == 500
    assert "secret" not in failed.text


def test_private_reads_are_documented_to_need_a_key() -> None:
    assert ROUTES.private_reads == PRIVATE
    reads = {path: item["get"] for path, item in DOCUMENT["paths"].items() if "get" in item}
    documented = {path for path, operation in reads.items() if "401" in operation["responses"]}
    assert documented == {path for path in reads if path.split("/")[1] in PRIVATE}
    assert documented == {path for path, operation in reads.items() if "security" in operation}
