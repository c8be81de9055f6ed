"""Containers: privileges, limits, networks and recovery, as seen by the engine and the kernel."""

import io
import json
import re
import socket
import subprocess
import threading
from typing import Any

import psutil
import pytest
import requests

from tests.containers.conftest import (
    BASE_IMAGE,
    DOCKER,
    LONG_PAUSE_SECONDS,
    ROOT,
    Compose,
    inspect_object,
    wait_until,
)

MEGABYTE = 10**6
SERVICES = ("db", "inference", "web")
LONGEST_LINE = 10_000
# LiteRT writes to stderr directly, in pieces. Output of two workers can share a line.
LITERT = re.compile(r"(INFO: |Created TensorFlow Lite XNNPACK delegate for CPU\.)*")


@pytest.fixture(params=["guard", "db", "db-setup", "inference", "web", "pgadmin"])
def container(request: pytest.FixtureRequest, compose: Compose, pgadmin_url: str) -> dict[str, Any]:
    assert pgadmin_url
    return compose.inspect(request.param)


def test_container_has_no_privileges_and_is_read_only(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert container["Config"]["User"] in {"10001:10001", "postgres"}
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"], host["Privileged"]) == (
        True,
        ["ALL"],
        None,
        False,
    )
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert {
        mount["Destination"]
        for mount in container["Mounts"]
        if mount["Type"] == "bind" and mount["RW"]
    } == set()


def test_container_has_resource_limits(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert 0 < host["Memory"] <= 4 * 2**30
    assert 0 < host["PidsLimit"] <= 256
    assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


@pytest.mark.parametrize("service", SERVICES)
def test_service_process_has_no_privileges(compose: Compose, service: str) -> None:
    status = compose.run("exec", "-T", service, "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["NoNewPrivs"] == "1"
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert "0" not in facts["Uid"].split()
    refused = compose.call(
        "exec", "-T", service, "sh", "-c", "echo x > /written; echo x > /etc/written"
    )
    assert refused.stdout.count("Read-only file system") == 2


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_health_check_and_restart_policy(compose: Compose, service: str) -> None:
    container = compose.inspect(service)
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert container["HostConfig"]["Init"]


def test_ports_are_published_on_loopback_only(compose: Compose) -> None:
    published = {
        (binding["HostIp"], binding["HostPort"])
        for service in SERVICES
        for bindings in compose.inspect(service)["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    ports = {compose.ports[name] for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
    assert published == {("127.0.0.1", port) for port in ports}
    for address in _external_addresses():
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(2)
                assert probe.connect_ex((address, int(port))) != 0


def test_services_have_only_the_networks_they_need(compose: Compose) -> None:
    networks = {
        service: {
            name.removeprefix(f"{compose.name}_")
            for name in compose.inspect(service)["NetworkSettings"]["Networks"]
        }
        for service in ("guard", "db", "db-setup", "inference", "web")
    }
    assert networks == {
        "guard": {"none"},
        "db": {"back", "sql"},
        "db-setup": {"back"},
        "inference": {"back", "front"},
        "web": {"back", "front"},
    }
    assert inspect_object("network", "inspect", f"{compose.name}_back")["Internal"]
    sql = inspect_object("network", "inspect", f"{compose.name}_sql")
    assert sql["Options"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"


def test_image_sizes_are_within_budget(compose: Compose) -> None:
    assert (_size(compose, "web"), _size(compose, "db-setup")) < (300 * MEGABYTE, 30 * MEGABYTE)
    assert _size(compose, "inference") < 1500 * MEGABYTE


@pytest.mark.parametrize("service", ["inference", "web", "db-setup"])
def test_code_change_rebuilds_one_layer(compose: Compose, service: str) -> None:
    code = compose.folder / service.removesuffix("-setup") / "__init__.py"
    before = _layers(compose, service)
    original = code.read_text()
    try:
        code.write_text(f"{original}# changed\n")
        compose.run("build", service)
        after = _layers(compose, service)
    finally:
        code.write_text(original)
        compose.run("build", service)
    assert (len(before), before[:-1]) == (len(after), after[:-1])
    assert before[-1] != after[-1]


@pytest.mark.parametrize("service", SERVICES)
def test_killed_container_restarts_without_losing_rows(
    compose: Compose, digits: dict[str, bytes], service: str
) -> None:
    url = f"{compose.api_url}/inference?experiment_name={_experiment()}"
    expected = requests.post(url, files={"image_blob": io.BytesIO(digits["7"])}, timeout=10).json()[
        "class"
    ]
    answers: dict[str, str] = {}
    stopping = threading.Event()

    def send_requests() -> None:
        while not stopping.is_set():
            try:
                answer = requests.post(
                    url, files={"image_blob": io.BytesIO(digits["7"])}, timeout=10
                )
            except requests.RequestException:  # the service itself is down
                stopping.wait(0.1)
                continue
            assert answer.status_code in {200, 503}
            if answer.status_code == 200:
                answers[answer.headers["X-Request-ID"]] = answer.json()["class"]

    restarts = compose.inspect(service)["RestartCount"]
    caller = threading.Thread(target=send_requests)
    caller.start()
    try:
        wait_until(lambda: len(answers) > 20)
        compose.call("exec", "-T", service, "sh", "-c", "kill -9 -1")
        wait_until(
            lambda: compose.inspect(service)["RestartCount"] == restarts + 1,
            pause_seconds=LONG_PAUSE_SECONDS,
        )
        wait_until(
            lambda: compose.inspect(service)["State"]["Health"]["Status"] == "healthy",
            pause_seconds=LONG_PAUSE_SECONDS,
        )
        wait_until(
            lambda: (
                requests.get(f"{compose.api_url}/readyz", timeout=5).json()["dependencies"][
                    "database"
                ]["status"]
                == "ok"
            )
        )
        wait_until(
            lambda: requests.get(f"{compose.web_url}/_stcore/health", timeout=5).text == "ok"
        )
        count = len(answers)
        wait_until(lambda: len(answers) > count + 20)
    finally:
        stopping.set()
        caller.join()
    assert set(answers.values()) == {expected}
    kept = "SELECT DISTINCT request_id FROM prediction_events"
    wait_until(lambda: answers.keys() <= {str(row[0]) for row in compose.rows(kept)})


def test_service_logs_a_json_line_per_event(compose: Compose) -> None:
    result = subprocess.run(
        [DOCKER, "logs", compose.inspect("inference")["Id"]],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in result.stderr.splitlines() if not LITERT.fullmatch(line)]
    assert lines
    assert [
        line
        for line in lines
        if not {"time", "level", "event", "request_id"} <= json.loads(line).keys()
    ] == []
    assert max(map(len, lines)) < LONGEST_LINE


def test_slim_image_serves_models_without_tensorflow(
    compose: Compose, digits: dict[str, bytes]
) -> None:
    slim = {"INFERENCE_TARGET": "slim"}
    try:
        compose.run("up", "-d", "--build", "--wait", "inference", **slim)
        assert (
            "No module named 'tensorflow'"
            in compose.call("exec", "-T", "inference", "python", "-c", "import tensorflow").stdout
        )
        assert _size(compose, "inference") < 300 * MEGABYTE
        states = {
            model["state"]
            for model in requests.get(f"{compose.api_url}/models", timeout=10).json()["models"]
        }
        answer = requests.post(
            f"{compose.api_url}/predictions?experiments=all",
            files={"images": io.BytesIO(digits["7"])},
            timeout=10,
        )
        assert (states, answer.status_code) == ({"READY"}, 200)
    finally:
        compose.run("up", "-d", "--build", "--wait", "inference")


def _experiment() -> str:
    return min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())


def _external_addresses() -> set[str]:
    """Return the IPv4 addresses of this machine except loopback."""
    addresses = {
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family == socket.AF_INET
    }
    return {address for address in addresses if not address.startswith("127.")}


def _size(compose: Compose, service: str) -> int:
    """Return the size of a service's image in bytes, without its base image."""
    size, base = (
        inspect_object("image", "inspect", image)["Size"]
        for image in (compose.inspect(service)["Image"], BASE_IMAGE)
    )
    return int(size - base)


def _layers(compose: Compose, service: str) -> list[str]:
    return list(inspect_object("image", "inspect", f"{compose.name}-{service}")["RootFS"]["Layers"])
