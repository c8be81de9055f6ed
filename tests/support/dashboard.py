"""Dashboard of a test as a process, and timeouts and locators for its tests."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Locator, Page, expect

from local import ports

START_SECONDS = 60

# The status strip notices a recovery. It refreshes every ten seconds.
RECOVERY_MILLISECONDS = 60_000
FIRST_PAINT_MILLISECONDS = 30_000


def wait_until_drawn(page: Page) -> None:
    """Wait for the end of the script's run: a click before that interrupts it."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=FIRST_PAINT_MILLISECONDS
    )


def page_widths(page: Page) -> list[int]:
    """Return the scroll widths of the document and of the main area, in pixels."""
    widths: list[int] = page.evaluate(
        """[
            document.documentElement.scrollWidth,
            document.querySelector("[data-testid=stMain]").scrollWidth,
        ]"""
    )
    return widths


def find_visible(page: Page, text: str) -> Locator:
    """Return the visible element with a text.

    A badge with a tooltip has an invisible copy that measures its size.
    """
    return page.get_by_text(text).filter(visible=True).first


@contextmanager
def running_dashboard(database: Mapping[str, str], api_url: str, log: Path) -> Iterator[str]:
    """Run a dashboard on a database (libpq's variables) and an API, and give its URL."""
    port = ports.find_free()
    address = f"http://127.0.0.1:{port}"
    options = {"server.port": port, "server.headless": "true", "server.address": "127.0.0.1"}
    role = {"PGUSER": "mlops_web", "PGPASSWORD": "pass123", "API_URL": api_url}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "web/server.py", *arguments],
            env={**os.environ, **database, **role},
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_healthy(address):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()


def _is_healthy(address: str) -> bool:
    try:
        return requests.get(f"{address}/_stcore/health", timeout=5).ok
    except requests.RequestException:
        return False
