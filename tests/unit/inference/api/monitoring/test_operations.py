"""Operations: every operation of the monitoring in openapi.yaml has its handler."""

import yaml  # type: ignore[import-untyped]

from inference.api.connexion_app import MONITORING_RESOURCES, SPECIFICATION
from inference.api.monitoring import operations
from tests.support.fake_database import FakeDatabase


def test_every_operation_has_its_handler() -> None:
    paths = yaml.safe_load(SPECIFICATION.read_text())["paths"]
    documented = {
        operation["operationId"]
        for path, item in paths.items()
        for operation in item.values()
        if path.split("/")[1] in MONITORING_RESOURCES
    }
    handlers = operations.build(FakeDatabase([{"alert_id": 1}], []))
    assert handlers.keys() == documented
    assert handlers["get_alert"](1) == {"alert_id": 1, "examples": []}
