"""Alertmanager's start: the receivers that the environment names, and clear refusals."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.prometheus import AMTOOL, find

SCRIPT = Path(__file__).parents[3] / "observability" / "alertmanager" / "start.sh"


def start(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with `echo` instead of Alertmanager."""
    names = ("SLACK_WEBHOOK_FILE", "ALERT_WEBHOOK_URL", "ALERT_CONFIG")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), "echo", str(directory), "--more"],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def receiver(directory: Path) -> dict[str, Any]:
    [only] = yaml.safe_load((directory / "alertmanager.yml").read_text())["receivers"]
    return dict(only)


def test_without_a_receiver_alerts_are_sent_nowhere(tmp_path: Path) -> None:
    done = start(tmp_path)
    config = tmp_path / "alertmanager.yml"
    assert done.stdout == f"--config.file={config} --storage.path={tmp_path} --more\n"
    assert receiver(tmp_path) == {"name": "alerts"}


def test_slack_and_webhook_get_alerts_and_resolutions(tmp_path: Path) -> None:
    slack = tmp_path / "slack"
    slack.write_text("https://hooks.slack.com/services/secret\n")
    url = "https://example.org:8443/alerts?key=a%20b&x=1"
    assert start(tmp_path, SLACK_WEBHOOK_FILE=str(slack), ALERT_WEBHOOK_URL=url).returncode == 0
    own = receiver(tmp_path)
    [to_slack], [to_webhook] = own["slack_configs"], own["webhook_configs"]
    assert (to_slack["api_url_file"], to_slack["send_resolved"]) == (str(slack), True)
    assert (to_webhook["url"], to_webhook["send_resolved"]) == (url, True)
    config = tmp_path / "alertmanager.yml"
    assert "secret" not in config.read_text()
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ALERT_WEBHOOK_URL", "ftp://example.org", "must begin with http:// or https://"),
        ("ALERT_WEBHOOK_URL", 'http://a"\nroute: {}', "must not have"),
        ("SLACK_WEBHOOK_FILE", "/no/such/file", "is empty or missing"),
    ],
)
def test_unusable_receiver_is_explained(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    done = start(tmp_path, **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot start: ")
    assert message in done.stderr


def test_own_configuration_replaces_ours(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("route: {receiver: mine}\nreceivers:\n  - name: mine\n")
    start(tmp_path, ALERT_CONFIG=str(own), ALERT_WEBHOOK_URL="http://example.org")
    assert receiver(tmp_path)["name"] == "mine"
    assert "webhook_configs" in receiver(tmp_path)


@pytest.mark.parametrize("with_receivers", [False, True])
def test_configuration_is_valid(tmp_path: Path, *, with_receivers: bool) -> None:
    (tmp_path / "slack").write_text("https://hooks.slack.com/services/x")
    receivers = {
        "SLACK_WEBHOOK_FILE": str(tmp_path / "slack"),
        "ALERT_WEBHOOK_URL": "http://example.org",
    }
    start(tmp_path, **(receivers if with_receivers else {}))
    command = [find(AMTOOL), "check-config", str(tmp_path / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "SUCCESS" in done.stdout, done.stdout + done.stderr
