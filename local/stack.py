"""The four programs of the stack and how each is started: Postgres, its set-up, inference and web.

What a container engine runs as containers runs here as processes: the same modules, only the
addresses differ.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from local.postgres import Postgres
from local.process import Program
from local.settings import OWNER, Settings, inherited

READY_SECONDS = 300.0  # the first start compiles every model
ANSWER_SECONDS = 3.0
LOOK_SECONDS = 0.1
TELL_SECONDS = 5.0  # how long someone who watches may be left without a word
BODY_BYTES = 100_000
STOP_SECONDS = (
    6.0  # for web and inference; Postgres gets the rest of the ten that people are promised
)
STOP_POSTGRES_SECONDS = 3.0
_direct = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
)  # never through a proxy to this machine


Report = Callable[[str, str], None]  # is told the name of a program and how far it is


def silent(_name: str, _text: str) -> None:
    """A report for those who do not watch."""


class NotReadyError(Exception):
    """A program ended or did not get ready; the message has the end of its log."""


class Stack:
    """The programs, not started yet. `wait` sleeps; what it raises ends any waiting."""

    def __init__(self, settings: Settings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self.wait = wait
        common = inherited()
        directory, root = settings.directory, settings.root
        owner = settings.postgres(OWNER, settings.owner_password)
        passwords = {
            "MLOPS_APP_PASSWORD": settings.app_password,
            "MLOPS_READ_PASSWORD": settings.read_password,
        }
        self.postgres = Postgres(settings)
        self.set_up = Program(
            "db-setup",
            [sys.executable, "-m", "db.initialize"],
            {**common, **owner, **passwords},
            directory,
            root,
        )
        self.inference = Program(
            "inference",
            [sys.executable, "-m", "inference"],
            {
                **common,
                **settings.postgres("mlops_app", settings.app_password),
                "API_HOST": settings.bind_address,
                "API_PORT": str(settings.api_port),
                "COMPILED_DIR": common.get("COMPILED_DIR") or str(directory / "compiled"),
                "JOURNAL_DIR": common.get("JOURNAL_DIR") or str(directory / "journal"),
                "IMAGES_URL": common.get("IMAGES_URL") or str(directory / "images"),
            },
            directory,
            root,
        )
        self.web = Program(
            "web",
            [
                sys.executable,
                "-m",
                "streamlit",
                "run",
                str(Path("web", "app.py")),
                *_streamlit(settings),
            ],
            {
                **common,
                **settings.postgres("mlops_read", settings.read_password),
                "API_URL": settings.api_url,
            },
            directory,
            root,
        )
        self.programs: tuple[Program, ...] = (self.postgres, self.set_up, self.inference, self.web)

    def start(self, report: Report = silent) -> None:
        """Start everything and return when everything is ready.

        `report(name, text)` is told of each step.

        Web needs nothing to start, so it starts beside the database; inference wants its tables.

        Raises:
            NotReadyError, StartError, AccountMissingError: the stack is left as it is then; call `stop`.

        """
        self.web.start()
        self.start_database(report)
        self.start_inference(report)
        self.until_web_is_ready(report)

    def start_database(self, report: Report = silent) -> None:
        """Start Postgres, migrate and import data.csv."""
        started = time.monotonic()
        self.postgres.open(self.wait)
        report("postgres", f"ready ({_since(started)})")
        self.run_set_up(report)

    def run_set_up(self, report: Report) -> None:
        """Run db-setup to its end. Raises NotReadyError when it fails."""
        self.set_up.start()
        while (status := self.set_up.ended()) is None:
            self.wait(LOOK_SECONDS)
        if status != 0:
            raise NotReadyError(
                f"db.initialize ended with status {status}; {self.set_up.log}:\n{self.set_up.tail()}"
            )
        self.set_up.stop(0)
        report("data", f"{self.set_up.tail(1).strip()} ({_since(self.set_up.started)})")

    def start_inference(self, report: Report = silent) -> None:
        """Start the inference service and wait until it answers."""
        self.inference.start()
        self._until_ready(
            self.inference,
            f"http://{self.settings.host}:{self.settings.api_port}/api/v1.0/readyz",
            report,
        )

    def until_web_is_ready(self, report: Report = silent) -> None:
        """Wait until the dashboard answers."""
        self._until_ready(
            self.web, f"http://{self.settings.host}:{self.settings.web_port}/_stcore/health", report
        )

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """End everything, Postgres last, within ten seconds; at once when `hurry` turns true.

        Idempotent.
        """
        services = (self.web, self.inference, self.set_up)
        running = [program for program in services if program.running()]
        for program in running:
            program.signal(program.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        while (
            any(program.running() for program in running)
            and time.monotonic() < deadline
            and not hurry()
        ):
            time.sleep(LOOK_SECONDS / 2)
        for program in services:
            program.stop(0)
        self.postgres.stop(0.5 if hurry() else STOP_POSTGRES_SECONDS)

    def _until_ready(self, program: Program, url: str, report: Report) -> None:
        started = told = time.monotonic()
        while time.monotonic() - started < READY_SECONDS:
            status = program.ended()
            if status is not None:
                raise NotReadyError(
                    f"{program.name} ended with status {status}; {program.log}:\n{program.tail()}"
                )
            ready, detail = _ask(url)
            if ready:
                report(program.name, f"{detail} ({_since(program.started)})")
                return
            if time.monotonic() - told > TELL_SECONDS and detail:  # someone is watching
                told = time.monotonic()
                report(program.name, detail)
            self.wait(LOOK_SECONDS)
        raise NotReadyError(
            f"{program.name} is not ready after {READY_SECONDS:.0f} s; {program.log}:\n{program.tail()}"
        )


def _ask(url: str) -> tuple[bool, str]:
    """Whether a readiness address says that the waiting is over, and what else it says."""
    try:
        with _direct.open(url, timeout=ANSWER_SECONDS) as answer:
            return True, _models(answer.read(BODY_BYTES))[1] or "ready"
    except urllib.error.HTTPError as refusal:
        still_loading, detail = _models(refusal.read(BODY_BYTES))
        return not still_loading, detail or "starting"
    except (OSError, http.client.HTTPException):
        return False, "starting"


def _models(body: bytes) -> tuple[bool, str]:
    """Whether models are still loading, and how many are there, from the body of /readyz.

    (True, "") of any other.

    None at all is no reason to wait: the rest works, and models may be published at any time.
    """
    try:
        models = json.loads(body)["dependencies"]["models"]
        ready, loading, failed = (int(models[state]) for state in ("ready", "loading", "failed"))
    except (ValueError, KeyError, TypeError):
        return True, ""
    if loading:
        return (
            True,
            f"{ready} of {ready + loading + failed} models loaded (the first start compiles them)",
        )
    return False, f"ready, {ready} models" + (
        f", {failed} FAILED: GET /models says why" if failed else ""
    )


def _streamlit(settings: Settings) -> list[str]:
    options = {
        "server.port": settings.web_port,
        "server.address": settings.bind_address,
        "server.headless": "true",  # opens no browser and asks for no e-mail address
        "browser.gatherUsageStats": "false",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
