"""Protocol documents: OpenAPI documents of the serving protocols describe the service's routes."""

from pathlib import Path
from typing import Any

import pytest
from connexion.spec import Specification

from inference.protocols.formats.open_inference import DATATYPES
from inference.protocols.formats.tensorflow_serving import SCALES
from inference.protocols.routes import ROUTES
from inference.server.protocol_paths import MLFLOW, OIP, TFS, protocol_of

FOLDER = Path(__file__).parents[4] / "inference" / "protocols"
DOCUMENTS = {
    OIP: "open_inference.yaml",
    TFS: "tensorflow_serving.yaml",
    MLFLOW: "mlflow_scoring.yaml",
}


def load(protocol: str) -> dict[str, Any]:
    """Return a document with its references resolved. Raises an error for an invalid one."""
    specification = Specification.load(FOLDER / DOCUMENTS[protocol])
    return dict(specification.raw)


def documented_methods(protocol: str) -> dict[str, set[str]]:
    """Return the methods by path. HEAD is that of GET."""
    return {
        path: {method.upper() for method in item if method != "parameters"}
        for path, item in load(protocol)["paths"].items()
    }


def test_documents_have_every_route_once() -> None:
    documented = [documented_methods(protocol) for protocol in DOCUMENTS]
    routes = {route.template: set(route.methods) - {"HEAD"} for route in ROUTES}
    assert {path: item[path] for item in documented for path in item} == routes
    assert sum(map(len, documented)) == len(routes)


@pytest.mark.parametrize("protocol", DOCUMENTS)
def test_document_has_paths_of_its_protocol(protocol: str) -> None:
    """The path / is shared with the native API and not one of a protocol."""
    assert set(map(protocol_of, documented_methods(protocol).keys() - {"/"})) == {protocol}


def test_every_document_is_of_a_protocol() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == set(DOCUMENTS.values())


def test_documented_datatypes_are_read() -> None:
    documented = load(OIP)["components"]["schemas"]["Datatype"]["enum"]
    assert documented == [*DATATYPES, "BYTES"]


def test_documented_signatures_are_read() -> None:
    documented = load(TFS)["components"]["schemas"]["Signature"]["enum"]
    assert set(documented) == set(SCALES)
