"""Prometheus and Alertmanager on a stack under test, with short times, and a webhook."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from local import ports
from local.monitoring import CONFIGURATION, write_configuration
from tests.support.prometheus import programs

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
# Configured times become a second, so that a test sees an alert and its end within seconds.
SCALED = re.compile(r"^( +(?:for|keep_firing_for): )\w+$", re.MULTILINE)
WAIT_SECONDS = 3  # of a record in the log before LogWaits


class Webhook:
    """An HTTP server that collects the alerts that Alertmanager sends."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        received = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.extend(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Accept requests."""
        thread = threading.Thread(target=self.server.serve_forever, args=[0.1])
        thread.start()
        try:
            yield
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def wait_for(self, name: str, status: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait until an alert was received as firing or resolved, and return it."""
        wait_until(lambda: self._find(name, status), f"{name} {status}: {self.alerts}", seconds)
        return self._find(name, status)[0]

    def _find(self, name: str, status: str) -> list[dict[str, Any]]:
        return [
            alert
            for alert in list(self.alerts)
            if (alert["labels"]["alertname"], alert["status"]) == (name, status)
        ]


class Alerting:
    """Prometheus and Alertmanager as processes. They look every second."""

    def __init__(self, directory: Path, service_port: int, monitor_port: int) -> None:
        self.directory = directory
        self.webhook = Webhook()
        self.prometheus_port, self.alertmanager_port = ports.find_free(), ports.find_free()
        self._targets = {
            "inference:9090": f"127.0.0.1:{service_port}",
            "inference:9464": f"127.0.0.1:{monitor_port}",
            "alertmanager:9093": f"127.0.0.1:{self.alertmanager_port}",
            "localhost:9090": f"127.0.0.1:{self.prometheus_port}",
        }

    @contextmanager
    def run(self) -> Iterator[None]:
        """Run both until the end of the block."""
        found = programs()
        self._configure()
        script = ROOT / CONFIGURATION / "alertmanager" / "start.sh"
        with ExitStack() as stack:
            stack.enter_context(self.webhook.serve())
            stack.enter_context(
                self._process(
                    "alertmanager",
                    ["/bin/sh", str(script), found.alertmanager, str(self.directory)],
                    f"--web.listen-address=127.0.0.1:{self.alertmanager_port}",
                    "--cluster.listen-address=",
                )
            )
            stack.enter_context(
                self._process(
                    "prometheus",
                    [found.prometheus],
                    f"--config.file={self.directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                )
            )
            wait_until(lambda: len(self.query("up == 1")) == len(self._targets) - 1, self._logs())
            yield

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the labels and values of a PromQL expression now."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/query"
        try:
            response = requests.get(url, params={"query": expression}, timeout=10)
        except requests.ConnectionError:  # it is starting
            return []
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # so it says
            return []
        answer = response.json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]

    def _configure(self) -> None:
        source = ROOT / CONFIGURATION
        write_configuration(source / "prometheus", self.directory, self._targets)
        _replace(self.directory / "prometheus.yml", ("15s", "1s"))
        rules = self.directory / "rules.yml"
        _replace(
            rules,
            (
                "mlops_journal_waiting_seconds > 60",
                f"mlops_journal_waiting_seconds > {WAIT_SECONDS}",
            ),
        )
        rules.write_text(SCALED.sub(r"\g<1>1s", rules.read_text()))
        own = self.directory / "own.yml"
        own.write_text((source / "alertmanager" / "alertmanager.yml").read_text())
        _replace(own, ("group_wait: 10s", "group_wait: 1s"), ("interval: 1m", "interval: 1s"))

    @contextmanager
    def _process(self, name: str, command: list[str], *options: str) -> Iterator[None]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "ALERT_WEBHOOK_URL": self.webhook.url,
            "ALERT_CONFIG": str(self.directory / "own.yml"),
        }
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *options], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _logs(self) -> str:
        return f"See {self.directory}/*.log."


def wait_until(
    condition: Callable[[], object], failure: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.1)


def _replace(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert old in text, f"{path}: {old}"
        text = text.replace(old, new)
    path.write_text(text)
