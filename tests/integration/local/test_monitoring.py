"""`make monitoring` for real: both programs run until Ctrl-C, with their state in LOCAL_DIR."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from local import ports
from tests.support.alerting import ROOT, wait_until
from tests.support.prometheus import programs


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.mark.slow
def test_both_programs_run_until_interrupted(tmp_path: Path) -> None:
    found = programs()
    prometheus, alertmanager = ports.find_free(), ports.find_free()
    folders = {str(Path(program).parent) for program in (found.prometheus, found.alertmanager)}
    command = [sys.executable, "-m", "local", "monitoring"]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        "LOCAL_DIR": str(tmp_path),
        "API_PORT": str(ports.find_free()),
        "PROMETHEUS_PORT": str(prometheus),
        "ALERTMANAGER_PORT": str(alertmanager),
        "ALERT_WEBHOOK_URL": "http://127.0.0.1:9/",
    }
    urls = [f"http://127.0.0.1:{port}/-/ready" for port in (prometheus, alertmanager)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: all(map(answers, urls)), "not ready")
        second = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert f"Prometheus    http://localhost:{prometheus}" in output
    assert "Alerts go to  ALERT_WEBHOOK_URL" in output
    assert "does not answer. Start the stack with `make up`." in output
    assert output.endswith("Stopped\n")
    assert not any(map(answers, urls))
    assert (tmp_path / "monitoring" / "prometheus" / "data").is_dir()
    assert second.returncode == 1
    assert f"Port {prometheus} is in use by process" in second.stdout
