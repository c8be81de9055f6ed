"""Chromium for the end-to-end tests: an installed one, or a new installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class BrowserMissingError(Exception):
    """No browser is available and none can be installed. The message says what to do."""


def find(playwright: Playwright) -> str:
    """Return the path of a Chromium.

    The first of $CHROMIUM, one on PATH, Playwright's own, or a new installation.

    Raises:
        BrowserMissingError: none of these.

    """
    found = _present(playwright)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install("apt-get", "update")
        _install("apt-get", "install", "-y", "--no-install-recommends", "chromium")
        found = _present(playwright)
    if found is None:
        _install(sys.executable, "-m", "playwright", "install", "chromium-headless-shell")
        found = _present(playwright)
    if found is None:
        raise BrowserMissingError(
            "The end-to-end tests need Chromium. Install it (Debian: apt install chromium) or set"
            " CHROMIUM=/path."
        )
    return found


def arguments() -> list[str]:
    """Return arguments for test machines: no GPU, and no sandbox for root, which it rejects."""
    return [
        "--disable-gpu",
        "--disable-dev-shm-usage",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]


def _present(playwright: Playwright) -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        if not os.access(named, os.X_OK):
            raise BrowserMissingError(f"CHROMIUM={named} is not executable.")
        return named
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    own = Path(playwright.chromium.executable_path)
    shell = (
        sorted(own.parents[2].glob("chromium_headless_shell-*/*/*headless*shell"))
        if len(own.parents) > 2
        else []
    )
    return next((str(path) for path in (own, *shell) if os.access(path, os.X_OK)), None)


def _install(*command: str) -> None:
    print(f"No Chromium: running {' '.join(command)}", file=sys.__stderr__, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(
            f"Failed with exit code {done.returncode}: {done.stderr.strip()[-500:]}",
            file=sys.__stderr__,
            flush=True,
        )
