"""`make up` and `make down`: output, running services and leftovers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import requests

from local import ports
from local.settings import ROOT

READY_SECONDS = 300


class MakeUp:
    """`python -m local up` with a separate folder and separate ports."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {name: ports.find_free() for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
        self.output = directory / "output.txt"
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        numbers = {name: str(port) for name, port in self.ports.items()}
        return {**os.environ, **numbers, "LOCAL_DIR": str(self.directory / "local")}

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "local", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + READY_SECONDS
        while "SQL " not in (text := self.output.read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text

    def down(self) -> str:
        command = [sys.executable, "-m", "local", "down"]
        result = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        return result.stdout

    def find_processes(self) -> list[str]:
        """Return the commands of all processes of this folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.environ().get("LOCAL_DIR") == str(self.directory / "local")
                    and process.pid != os.getpid()
                ):
                    found.append(" ".join(process.cmdline()))
        return found

    def terminate(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.down()


@pytest.fixture
def make_up(tmp_path: Path) -> Iterator[MakeUp]:
    command = MakeUp(tmp_path)
    try:
        yield command
    finally:
        command.terminate()


def test_up_prints_working_addresses_and_ctrl_c_stops_all(make_up: MakeUp) -> None:
    process = make_up.start()
    printed = make_up.wait_until_ready(process)
    dashboard = re.search(r"Dashboard +(\S+)", printed)
    dsn = re.search(r"SQL +psql (\S+)", printed)
    assert dashboard is not None
    assert dsn is not None
    assert f"http://localhost:{make_up.ports['API_PORT']}/api/v1.0/ui/" in printed
    assert requests.get(dashboard.group(1), timeout=10).status_code == 200
    psycopg2.connect(dsn.group(1)).close()

    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    status = process.wait(timeout=20)
    seconds = time.monotonic() - started
    assert (status, make_up.find_processes(), seconds < 10) == (0, [], True)


@pytest.mark.slow
def test_up_works_after_the_supervisor_was_killed(make_up: MakeUp) -> None:
    first = make_up.start()
    make_up.wait_until_ready(first)
    first.kill()
    first.wait()
    second = make_up.start()
    make_up.wait_until_ready(second)
    second.send_signal(signal.SIGTERM)
    assert (second.wait(timeout=20), make_up.find_processes()) == (0, [])


@pytest.mark.slow
def test_second_up_names_the_first_and_down_stops_it(make_up: MakeUp) -> None:
    first = make_up.start()
    make_up.wait_until_ready(first)
    command = [sys.executable, "-m", "local", "up"]
    second = subprocess.run(
        command,
        cwd=ROOT,
        env=make_up.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (second.returncode, f"process {first.pid}" in second.stdout) == (1, True)
    assert make_up.down() == "Stopped\n"
    assert (first.wait(timeout=20), make_up.find_processes()) == (0, [])
    assert make_up.down() == "Nothing was running\n"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variable"), [("web", "WEB_PORT"), ("postgres", "DB_PORT")])
def test_up_restarts_a_killed_service(make_up: MakeUp, name: str, variable: str) -> None:
    process = make_up.start()
    make_up.wait_until_ready(process)
    psutil.Process(
        json.loads((make_up.directory / "local" / "run" / f"{name}.json").read_text())["pid"]
    ).kill()
    deadline = time.monotonic() + 60
    alive = False
    while not alive and time.monotonic() < deadline:
        time.sleep(0.2)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", make_up.ports[variable]), 1),
        ):
            alive = True
    assert (alive, f"{name} ended with status -9" in make_up.output.read_text()) == (True, True)


def test_up_names_each_used_port_with_process_and_variable(
    make_up: MakeUp,
) -> None:
    web, api, db = (make_up.ports[name] for name in ("WEB_PORT", "API_PORT", "DB_PORT"))
    with socket.create_server(("127.0.0.1", web)), socket.create_server(("", db)):
        assert make_up.start().wait(timeout=60) == 1
    output = make_up.output.read_text()
    is_reported = {
        port: f"Port {port} is in use by process {os.getpid()}" in output for port in (web, api, db)
    }
    assert is_reported == {web: True, api: False, db: True}
    assert re.findall(r"[A-Z]+_PORT", output) == ["WEB_PORT", "DB_PORT"]


def test_up_failed_setup_prints_log_and_leaves_nothing(
    make_up: MakeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(make_up.directory))
    fault = (
        "import os, sys\n"
        "if 'db.initialize' in sys.orig_argv:\n"
        "    os.write(2, b'no tables today'); os._exit(1)\n"
    )
    (make_up.directory / "sitecustomize.py").write_text(fault)
    assert make_up.start().wait(timeout=60) == 1
    assert ("no tables today" in make_up.output.read_text(), make_up.find_processes()) == (True, [])
