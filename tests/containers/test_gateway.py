"""docker-compose.scale.yml: several replicas of the inference service behind HAProxy."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.containers.conftest import (
    DOCKER,
    LONG_PAUSE_SECONDS,
    Compose,
    inspect_object,
    wait_until,
)
from tests.containers.traffic import (
    CONNECTIONS,
    assert_all_answered,
    assert_stored_once,
    predictions,
)
from tests.support.load import BROKEN, statuses

FILES = "docker-compose.yml:docker-compose.scale.yml"
REPLICAS = 3
KILLED = 137  # exit code after SIGKILL
# A server's status is a line with the value 1 for the state that it has.
READY = """
import re, urllib.request
text = urllib.request.urlopen('http://127.0.0.1:8404/metrics').read().decode()
print(len(re.findall('^haproxy_server_status{.*state="UP".*} 1$', text, re.MULTILINE)))
"""


@pytest.fixture(scope="module")
def scaled(project: Path) -> Iterator[Compose]:
    stack = Compose(project, COMPOSE_FILE=FILES, INFERENCE_TARGET="slim")
    try:
        stack.run("up", "-d", "--build", "--wait", "--scale", f"inference={REPLICAS}")
        wait_until(lambda: ready_replicas(stack) == REPLICAS, pause_seconds=LONG_PAUSE_SECONDS)
        yield stack
    finally:
        stack.tear_down()


def ready_replicas(stack: Compose) -> int:
    """Return the number of replicas that the gateway sends requests to."""
    return int(stack.run("exec", "-T", "gateway", "python", "-c", READY))


def replicas(stack: Compose) -> list[str]:
    return stack.run("ps", "-q", "inference").split()


def docker(*arguments: str) -> None:
    subprocess.run([DOCKER, *arguments], check=True, capture_output=True)


def test_dashboard_and_api_answer_through_the_gateway(scaled: Compose) -> None:
    assert len(replicas(scaled)) == REPLICAS
    assert requests.get(f"{scaled.api_url}/readyz", timeout=10).json()["status"] == "ready"
    assert requests.get(scaled.web_url, timeout=10).ok
    host = scaled.inspect("gateway")["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])


def test_replaced_replica_fails_no_request(scaled: Compose) -> None:
    replica = replicas(scaled)[0]
    with predictions(int(scaled.ports["API_PORT"])) as load:
        docker("stop", replica)
        assert inspect_object("inspect", replica)["State"]["ExitCode"] != KILLED
        docker("start", replica)
        wait_until(lambda: ready_replicas(scaled) == REPLICAS, pause_seconds=LONG_PAUSE_SECONDS)
    assert_all_answered(load.answers)
    assert_stored_once(scaled.rows, load.answers)


def test_killed_replica_fails_its_requests_in_flight_only(scaled: Compose) -> None:
    replica = replicas(scaled)[1]
    with predictions(int(scaled.ports["API_PORT"])) as load:
        wait_until(lambda: len(load.answers) > CONNECTIONS)
        docker("kill", replica)
        docker("start", replica)
        wait_until(lambda: ready_replicas(scaled) == REPLICAS, pause_seconds=LONG_PAUSE_SECONDS)
    failed = [answer for answer in load.answers if answer.status != 200]
    assert len(failed) <= CONNECTIONS, statuses(load.answers)
    assert {answer.status for answer in failed} <= {BROKEN, 502, 503, 504}
    assert_stored_once(scaled.rows, load.answers)
