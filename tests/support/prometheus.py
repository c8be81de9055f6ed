"""Prometheus's programs for tests: installed ones, or Debian's packages, unpacked."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from local.monitoring import ALERTMANAGER, DEBIAN_TEMPLATE, PROMETHEUS, Programs

PACKAGES = ("prometheus", "prometheus-alertmanager")
PROMTOOL, AMTOOL = ("promtool",), ("amtool",)
CACHE = Path(tempfile.gettempdir()) / f"mlops-test-prometheus-{os.geteuid()}"
MISSING = (
    "Prometheus is not installed. Install prometheus and prometheus-alertmanager, or run the tests"
    " as root on Debian."
)


def programs() -> Programs:
    """Return Prometheus and Alertmanager; without them, the test is skipped."""
    return Programs(find(PROMETHEUS), find(ALERTMANAGER))


def find(names: tuple[str, ...]) -> str:
    """Return the path of a program; without it, the test is skipped."""
    for path in (None, _unpacked()):
        for name in names if path != "" else ():
            if program := shutil.which(name, path=path):
                return program
    pytest.skip(MISSING)


@functools.cache
def _unpacked() -> str:
    """Return a directory with the programs of Debian's packages, or "".

    They are unpacked, not installed: an installation would start them, on the port of the API.
    """
    if all(shutil.which(name) for name in ("prometheus", "promtool", "amtool")):
        return ""
    programs = CACHE / "usr" / "bin"
    if not (programs / "amtool").exists():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            return ""
        CACHE.mkdir(mode=0o700, exist_ok=True)
        _run("apt-get", "-qq", "update")
        _run("apt-get", "-qq", "download", *PACKAGES)
        for package in CACHE.glob("*.deb"):
            _run("dpkg-deb", "-x", str(package), str(CACHE))
        if not (programs / "amtool").exists():
            return ""
    if not DEBIAN_TEMPLATE.exists() and os.geteuid() == 0:
        DEBIAN_TEMPLATE.parent.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            CACHE / DEBIAN_TEMPLATE.parent.relative_to("/"),
            DEBIAN_TEMPLATE.parent,
            dirs_exist_ok=True,
        )
    return str(programs)


def _run(*command: str) -> None:
    subprocess.run(command, cwd=CACHE, capture_output=True, check=False)
