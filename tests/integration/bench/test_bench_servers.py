"""The yardsticks of the benchmark do the work that they are compared for.

Each answers as the service does.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.fixtures import http_requests
from bench.harness import service
from tests.conftest import SHIPPED, digit_png

LENET = "mnist_experiment_12__lenet5"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """The service's own probabilities of every digit, by label."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(SHIPPED / LENET, models / LENET)
    with service.ours("test of ours", models) as server:
        return {label: _probabilities(server, label) for label in "0123456789"}


@pytest.mark.parametrize("module", ["limit", "stock"])
def test_a_reference_gives_the_probabilities_of_the_service(
    module: str, expected: dict[str, dict[str, float]]
) -> None:
    with service.reference(f"test of {module}", module, SHIPPED / LENET / "model.tflite") as server:
        found = {label: _probabilities(server, label) for label in expected}
    assert found == {
        label: pytest.approx(probabilities, abs=1e-6) for label, probabilities in expected.items()
    }


def _probabilities(server: service.Server, label: str) -> dict[str, float]:
    status, body = server.post(*http_requests.single(digit_png(label), LENET))
    assert status == 200, body
    probabilities: dict[str, float] = json.loads(body)["probabilities"]
    return probabilities


def test_a_server_that_cannot_start_is_named_with_what_it_said(tmp_path: Path) -> None:
    with (
        pytest.raises(service.ServerStartError, match="no_such_module"),
        service.reference("test of nothing", "no_such_module", tmp_path),
    ):
        pass
