"""Operations: every operation of the learning loop in openapi.yaml has its handler."""

from pathlib import Path

import yaml  # type: ignore[import-untyped]

from inference.api.connexion_app import LEARNING_RESOURCES, SPECIFICATION
from inference.api.learning import operations
from inference.database.experiments import Experiments
from inference.originals.local_store import LocalStore
from tests.support.fake_database import FakeDatabase


def test_every_operation_has_its_handler(tmp_path: Path) -> None:
    paths = yaml.safe_load(SPECIFICATION.read_text())["paths"]
    documented = {
        operation["operationId"]
        for path, item in paths.items()
        for operation in item.values()
        if path.split("/")[1] in LEARNING_RESOURCES
        or operation["operationId"] in ("withdraw_label", "publish_model")
    }
    database = FakeDatabase([{"state": "QUEUED", "has_worker": True}])
    built = operations.build(
        database, Experiments(database), LocalStore(tmp_path), lambda *_move: None
    )
    assert built.handlers.keys() == documented
    assert built.handlers["get_run"](1) == {"state": "QUEUED", "no_worker": None}
