"""The compose profile `monitoring`: hardened, on loopback, and valid for docker compose.

Its images come from a registry. What runs in them here is Debian's, see
tests/resilience/test_alerts.py.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
NAMES = ("prometheus", "alertmanager", "grafana")
FILES = ("docker-compose.yml", "docker-compose.secrets.yml")


def service(name: str) -> dict[str, Any]:
    return dict(COMPOSE["services"][name])


def test_profile_has_three_services() -> None:
    in_profile = {
        name for name in COMPOSE["services"] if "monitoring" in service(name).get("profiles", [])
    }
    assert in_profile == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_service_is_pinned_and_hardened(name: str) -> None:
    own = service(name)
    assert re.fullmatch(r"(prom|grafana)/\w+:v?\d+\.\d+\.\d+", own["image"])
    assert (own["read_only"], own["cap_drop"]) == (True, ["ALL"])
    assert own["security_opt"] == ["no-new-privileges:true"]
    assert own["pids_limit"] == COMPOSE["x-service"]["pids_limit"]
    assert own["mem_limit"]


@pytest.mark.parametrize("name", NAMES)
def test_service_without_a_login_is_on_loopback_only(name: str) -> None:
    [port] = service(name)["ports"]
    assert port.startswith("127.0.0.1:")  # also with another BIND_ADDRESS


@pytest.mark.parametrize("name", NAMES)
def test_service_changes_no_file_of_the_project(name: str) -> None:
    volumes = [volume for volume in service(name)["volumes"] if isinstance(volume, str)]
    assert all(volume.endswith(":ro") for volume in volumes if volume.startswith("./"))


def test_only_alertmanager_reaches_other_machines() -> None:
    networks = {name: set(service(name)["networks"]) for name in NAMES}
    assert networks == {
        "prometheus": {"back", "monitoring"},
        "alertmanager": {"front", "monitoring"},
        "grafana": {"back", "monitoring"},
    }
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert COMPOSE["networks"]["monitoring"]["driver_opts"] == {masquerade: "false"}


def test_prometheus_asks_the_addresses_of_the_services() -> None:
    text = (ROOT / "observability" / "prometheus" / "prometheus.yml").read_text()
    hosts = set(re.findall(r'"(\w+):\d+"', text))
    assert hosts <= {*COMPOSE["services"], "localhost"}
    host = service("inference")["environment"]["MONITOR_METRICS_HOST"]
    assert host == "0.0.0.0"  # noqa: S104  # on networks of containers only


@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["passwords", "secrets"])
def test_docker_compose_accepts_the_profile(files: tuple[str, ...], tmp_path: Path) -> None:
    docker = shutil.which("docker")
    version = [docker or "docker", "compose", "version"]
    if not docker or subprocess.run(version, capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    (tmp_path / "slack").touch()
    environment = {**os.environ, "SLACK_WEBHOOK_FILE": str(tmp_path / "slack")}
    options = [option for file in files for option in ("-f", str(ROOT / file))]
    done = subprocess.run(
        [docker, "compose", *options, "--profile", "monitoring", "config", "--format", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert set(NAMES) <= services.keys()
    alertmanager = services["alertmanager"]
    assert alertmanager["environment"]["SLACK_WEBHOOK_FILE"] == "/run/slack_webhook"
    assert any(volume["source"] == str(tmp_path / "slack") for volume in alertmanager["volumes"])
    password = services["grafana"]["environment"].get("MLOPS_READ_PASSWORD")
    assert password == ("pass123" if len(files) == 1 else None)
