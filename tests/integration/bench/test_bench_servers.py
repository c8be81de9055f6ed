"""Reference servers of the benchmark: the same results as the service."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.fixtures import http_requests
from bench.harness.server import Server, ServerStartError, start_reference, start_service
from tests.conftest import SHIPPED, digit_png

pytestmark = pytest.mark.slow

LENET = "mnist_experiment_12__lenet5"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Probabilities of the service by label."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(SHIPPED / LENET, models / LENET)
    with start_service("test of the service", models) as server:
        return {label: _probabilities(server, label) for label in "0123456789"}


@pytest.mark.parametrize("module", ["limit", "stock"])
def test_reference_server_matches_the_service(
    module: str, expected: dict[str, dict[str, float]]
) -> None:
    with start_reference(f"test of {module}", module, SHIPPED / LENET / "model.tflite") as server:
        found = {label: _probabilities(server, label) for label in expected}
    assert found == {
        label: pytest.approx(probabilities, abs=1e-6) for label, probabilities in expected.items()
    }


def _probabilities(server: Server, label: str) -> dict[str, float]:
    status, body = server.post(*http_requests.inference_request(digit_png(label), LENET))
    assert status == 200, body
    probabilities: dict[str, float] = json.loads(body)["probabilities"]
    return probabilities


def test_start_reference_failure_shows_the_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerStartError, match="no_such_module"),
        start_reference("test of nothing", "no_such_module", tmp_path),
    ):
        pass
