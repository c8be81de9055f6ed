"""Stack: Postgres, database setup, inference, web and the pipeline's worker, started and stopped.

Runs as processes the same modules that compose runs as containers. Only the addresses differ.
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
from local.settings import OWNER, Settings, inherited_environment

READY_SECONDS = 300.0  # the first start compiles all models
RESPONSE_TIMEOUT_SECONDS = 3.0
POLL_SECONDS = 0.1
PROGRESS_SECONDS = 5.0  # maximum time without a progress line
MAX_BODY_BYTES = 100_000
# The documentation promises a stop within ten seconds.
STOP_SECONDS = 6.0  # for all but Postgres
STOP_POSTGRES_SECONDS = 3.0
ProgressCallback = Callable[[str, str], None]  # arguments: program name, status text
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # without a proxy


def ignore_progress(_name: str, _text: str) -> None:
    """Progress callback that does nothing."""


class NotReadyError(Exception):
    """A program ended or did not become ready. The message has the end of its log."""


class Stack:
    """The programs, initially stopped. `wait` sleeps and may raise to abort any waiting."""

    def __init__(self, settings: Settings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self.wait = wait
        common = inherited_environment()
        directory, root = settings.directory, settings.root
        owner = settings.libpq_variables(OWNER, settings.owner_password)
        passwords = {
            "MLOPS_APP_PASSWORD": settings.app_password,
            "MLOPS_READ_PASSWORD": settings.read_password,
            "MLOPS_WEB_PASSWORD": settings.web_password,
            "MLOPS_PIPELINE_PASSWORD": settings.pipeline_password,
        }
        self.postgres = Postgres(settings)
        self.setup = Program(
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
                **settings.libpq_variables("mlops_app", settings.app_password),
                "API_HOST": settings.bind_address,
                "API_PORT": str(settings.api_port),
                # A PORT of the user's shell is meant for other programs, and nothing is behind a
                # proxy here that could use a drain.
                "PORT": "",
                "DRAIN_SECONDS": "",
                "DASHBOARD_URL": common.get("DASHBOARD_URL") or f":{settings.web_port}",
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
                str(Path("web", "server.py")),
                *_streamlit_options(settings),
            ],
            {
                **common,
                **settings.libpq_variables("mlops_web", settings.web_password),
                "API_URL": settings.api_url,
            },
            directory,
            root,
        )
        self.pipeline = Program(
            "pipeline",
            [sys.executable, "-m", "pipeline", "worker"],
            {
                **common,
                **settings.libpq_variables("mlops_pipeline", settings.pipeline_password),
                "IMAGES_URL": common.get("IMAGES_URL") or str(directory / "images"),
                "PIPELINE_WORK": common.get("PIPELINE_WORK") or str(directory / "pipeline"),
            },
            directory,
            root,
        )
        self.programs: tuple[Program, ...] = (
            self.postgres,
            self.setup,
            self.inference,
            self.web,
            self.pipeline,
        )

    def start(self, report: ProgressCallback = ignore_progress) -> None:
        """Start all programs but the pipeline, and return when all are ready.

        `report(name, text)` is called after each step. Web needs nothing to start, so it starts in
        parallel with the database. Inference needs the tables.

        Raises:
            NotReadyError, StartError, AccountMissingError: call `stop` to end the started programs.
        """
        self.web.start()
        self.start_database(report)
        self.start_inference(report)
        self.wait_for_web(report)

    def start_database(self, report: ProgressCallback = ignore_progress) -> None:
        """Start Postgres, run the migrations and import data.csv."""
        started = time.monotonic()
        self.postgres.open(self.wait)
        report("postgres", f"ready ({_format_elapsed(started)})")
        self.run_setup(report)

    def run_setup(self, report: ProgressCallback) -> None:
        """Run the database setup to completion. Raises NotReadyError if it fails."""
        self.setup.start()
        last_report = time.monotonic()
        while (status := self.setup.exit_status()) is None:
            self.wait(POLL_SECONDS)
            if time.monotonic() - last_report > PROGRESS_SECONDS:
                last_report = time.monotonic()
                report("data", self.setup.tail(1).strip())
        if status != 0:
            raise NotReadyError(
                f"The database setup ended with status {status}. "
                f"From {self.setup.log}:\n{self.setup.tail()}"
            )
        self.setup.stop(0)
        report("data", f"{self.setup.tail(1).strip()} ({_format_elapsed(self.setup.started)})")

    def start_inference(self, report: ProgressCallback = ignore_progress) -> None:
        """Start the inference service and wait until it is ready."""
        self.inference.start()
        self._wait_until_ready(
            self.inference,
            f"http://{self.settings.host}:{self.settings.api_port}/api/v1.0/readyz",
            report,
        )

    def wait_for_web(self, report: ProgressCallback = ignore_progress) -> None:
        """Wait until the dashboard is ready."""
        self._wait_until_ready(
            self.web, f"http://{self.settings.host}:{self.settings.web_port}/_stcore/health", report
        )

    def start_pipeline(self) -> None:
        """Start the pipeline's worker. Nothing waits for it, so its start costs no time."""
        self.pipeline.start()

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> None:
        """Stop all programs within ten seconds, Postgres last. Idempotent.

        Once `is_urgent` returns True, the programs are killed immediately.
        """
        services = (self.pipeline, self.web, self.inference, self.setup)
        running = [program for program in services if program.is_running()]
        for program in running:
            program.signal(program.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        while (
            any(program.is_running() for program in running)
            and time.monotonic() < deadline
            and not is_urgent()
        ):
            time.sleep(POLL_SECONDS / 2)
        for program in services:
            program.stop(0)
        self.postgres.stop(0.5 if is_urgent() else STOP_POSTGRES_SECONDS)

    def _wait_until_ready(self, program: Program, url: str, report: ProgressCallback) -> None:
        started = last_report = time.monotonic()
        while time.monotonic() - started < READY_SECONDS:
            status = program.exit_status()
            if status is not None:
                raise NotReadyError(
                    f"{program.name} ended with status {status}. "
                    f"From {program.log}:\n{program.tail()}"
                )
            ready, detail = _check_readiness(url)
            if ready:
                report(program.name, f"{detail} ({_format_elapsed(program.started)})")
                return
            if time.monotonic() - last_report > PROGRESS_SECONDS and detail:
                last_report = time.monotonic()
                report(program.name, detail)
            self.wait(POLL_SECONDS)
        raise NotReadyError(
            f"{program.name} is not ready after {READY_SECONDS:.0f} s. "
            f"From {program.log}:\n{program.tail()}"
        )


def _check_readiness(url: str) -> tuple[bool, str]:
    """Return whether waiting for a readiness URL is over, and a status text."""
    try:
        with _opener.open(url, timeout=RESPONSE_TIMEOUT_SECONDS) as response:
            return True, _parse_readiness(response.read(MAX_BODY_BYTES))[1] or "ready"
    except urllib.error.HTTPError as response:
        is_loading, detail = _parse_readiness(response.read(MAX_BODY_BYTES))
        return not is_loading, detail or "starting"
    except (OSError, http.client.HTTPException):
        return False, "starting"


def _parse_readiness(body: bytes) -> tuple[bool, str]:
    """Return whether models are still loading, and their counts, from the body of /readyz.

    Returns (True, "") for any other body. A service without models is ready: everything else works,
    and models can be published at any time.
    """
    try:
        dependencies = json.loads(body)["dependencies"]
        models, registry = dependencies["models"], dependencies.get("registry", {})
        ready, loading, failed = (int(models[state]) for state in ("ready", "loading", "failed"))
    except (ValueError, KeyError, TypeError):
        return True, ""
    if registry.get("status") == "starting":
        return True, f"model registry: {registry['detail']}"
    if loading:
        total = ready + loading + failed
        return True, f"{ready} of {total} models loaded (the first start compiles them)"
    failures = f", {failed} FAILED: see GET /models for the reasons" if failed else ""
    return False, f"ready, {ready} models{failures}"


def _streamlit_options(settings: Settings) -> list[str]:
    options = {
        "server.port": settings.web_port,
        "server.address": settings.bind_address,
        "server.headless": "true",  # no browser window, no prompt for an e-mail address
        "browser.gatherUsageStats": "false",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def _format_elapsed(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"
