"""The whole stack and a real browser for end-to-end tests, on free ports and in a new folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
import requests
import streamlit as st
from playwright.sync_api import Browser, Page, sync_playwright

import web.sources
from local import ports
from local import settings as local_settings
from local.stack import Stack
from tests.support import browser as chromium
from tests.support import learning_rows
from tests.support.digits import seven_png
from tests.support.fakes import FakeSources
from tests.support.learning_rows import EXPERIMENT, History

# Another site's host name, which the browser of these tests resolves to this machine.
REBOUND = "rebound.example"
# In an order that no foreign key forbids
CLEAN_UP = (
    *(
        f"DELETE FROM {table}"
        for table in (
            "retrain_requests",
            "label_requests",
            "comparisons",
            "promotion_decisions",
            "evaluations",
            "trainings",
            "pipeline_steps",
            "pipeline_triggers",
        )
    ),
    "DELETE FROM alias_events WHERE run_id IS NOT NULL",
    *(
        f"DELETE FROM {table}"
        for table in (
            "pipeline_runs",
            "dataset_images",
            "datasets",
            "uploads",
            "schedules",
            "pipeline_workers",
        )
    ),
)


class RunningStack:
    """A running stack whose services a test may stop; the test starts them again."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.web_url = stack.settings.web_url
        self.api_url = stack.settings.api_url
        self.db_dsn = stack.settings.dsn
        self.logs: Path = stack.settings.directory / "logs"

    def stop_database(self, *, crash: bool = False) -> None:
        """Shut down, or kill the postmaster as with kill -9."""
        if crash:
            self._stack.postgres.kill()
        else:
            self._stack.postgres.stop(timeout_seconds=10)

    def start_database(self) -> None:
        self._stack.start_database()

    def stop_api(self) -> None:
        self._stack.inference.stop(timeout_seconds=10)

    def start_api(self) -> None:
        self._stack.start_inference()


@pytest.fixture(scope="session", autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The compiled models of every stack in this run: each model is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("compiled")
        patch.setenv("COMPILED_DIR", str(directory))
        yield directory


@pytest.fixture(scope="session")
def free_settings(tmp_path_factory: pytest.TempPathFactory) -> local_settings.Settings:
    chosen = {name: str(ports.find_free()) for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
    return local_settings.read({**chosen, "LOCAL_DIR": str(tmp_path_factory.mktemp("stack"))})


@pytest.fixture(scope="session")
def stack(free_settings: local_settings.Settings) -> Iterator[RunningStack]:
    """Postgres, inference and web, all ready."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKING", "1")  # services of other tests do not track
        programs = Stack(free_settings)
    try:
        programs.start()
        yield RunningStack(programs)
    finally:
        programs.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    os.environ.setdefault("NO_PROXY", "localhost,127.0.0.1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium.find(playwright),
            args=[*chromium.arguments(), f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"],
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a new browser context, without cookies and storage of other tests."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def other_browser(browser: Browser) -> Iterator[Page]:
    """A page in another browser: no shared cookie, storage or session."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def database(stack: RunningStack) -> Iterator[psycopg2.extensions.connection]:
    """A connection of the owner. Afterwards the tables of the learning loop are empty again."""
    with closing(psycopg2.connect(stack.db_dsn)) as connection:
        connection.autocommit = True
        yield connection
        for statement in CLEAN_UP:
            with connection.cursor() as cursor:
                cursor.execute(statement)


@pytest.fixture
def history(stack: RunningStack, database: psycopg2.extensions.connection) -> History:
    """The history, with a request for the label of one logged image."""
    response = requests.post(
        f"{stack.api_url}/predictions",
        params={"experiments": EXPERIMENT},
        files={"images": ("7.png", seven_png(), "image/png")},
        timeout=30,
    )
    assert response.ok, response.text
    with database.cursor() as cursor:
        for _ in range(300):
            cursor.execute("SELECT count(*) FROM images WHERE original_url IS NOT NULL")
            if cursor.fetchone() != (0,):
                break
            cursor.execute("SELECT pg_sleep(0.1)")
    return learning_rows.fill(database)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSources]:
    fake = FakeSources()
    monkeypatch.setattr(web.sources, "get_sources", lambda: fake)
    st.cache_resource.clear()
    yield fake
    st.cache_resource.clear()
