"""Routes: paths to actions and values."""

import pytest

from inference.protocols.errors import MethodNotAllowedError, UnknownPathError
from inference.protocols.routes import ROUTES, Action, match
from inference.server.protocol_paths import protocol_of


@pytest.mark.parametrize(
    ("method", "path", "action", "values"),
    [
        ("POST", "/v2/models/a/infer", Action.INFER, {"name": "a"}),
        ("POST", "/v2/models/a/versions/3/infer", Action.INFER, {"name": "a", "version": "3"}),
        ("GET", "/v2/models/mnist@champion", Action.MODEL, {"name": "mnist@champion"}),
        ("HEAD", "/v2/models/a/ready", Action.MODEL_READY, {"name": "a"}),
        ("POST", "/v1/models/a/labels/b:predict", Action.PREDICT, {"name": "a", "label": "b"}),
        ("GET", "/v1/models/a/metadata", Action.METADATA, {"name": "a"}),
        ("POST", "/invocations", Action.INVOKE, {}),
        ("POST", "/mlflow/a/invocations", Action.INVOKE, {"name": "a"}),
        ("GET", "/", Action.ALIVE, {}),
        ("GET", "/v2/models/stats", Action.NOT_KEPT, {}),
    ],
)
def test_match(method: str, path: str, action: Action, values: dict[str, str]) -> None:
    found = match(method, path)
    assert found.route.action is action
    assert {name: value for name, value in found.values.items() if value} == values


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/models", "/v2/models/a/b", "/v1/models/a:explain", "/mlflow/a", "/v2/x\n"]
)
def test_unknown_path_is_refused(path: str) -> None:
    with pytest.raises(UnknownPathError):
        match("GET", path)


def test_another_method_is_refused() -> None:
    with pytest.raises(MethodNotAllowedError, match="Use POST"):
        match("GET", "/v2/models/a/infer")


def test_every_route_belongs_to_a_protocol() -> None:
    others = {route.template for route in ROUTES if protocol_of(route.template) is None}
    assert others == {"/"}  # which is a page for browsers, too
