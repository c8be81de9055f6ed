"""Installer: fills a virtual environment from a lock file with uv, or with pip as a fallback.

uv takes seconds where pip takes minutes. requirements/bootstrap.txt pins uv, and pip installs it.
Both tools check each file against the hashes in the lock file. Standard library only: bootstrap.py
runs before any installation.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local.console import print_line
from local.virtual_environment import VirtualEnvironment

# pip's settings and the equivalent uv variables. uv reads neither pip's variables nor its files.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
}


class InstallError(Exception):
    """The virtual environment cannot be created. The message gives the reason and a remedy."""


def create(environment: VirtualEnvironment) -> None:
    """Create an empty virtual environment in place of any existing one.

    Raises:
        InstallError: the venv module failed.
    """
    environment.remove()
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment.home)]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        raise InstallError(f"Cannot create .venv:\n{result.stdout.strip()}")


def install_locked(environment: VirtualEnvironment, group: str) -> None:
    """Install exactly the packages in a group's lock file.

    Raises:
        InstallError: neither uv nor pip could install them.
    """
    lock_file = str(environment.lock_file(group))
    uv = _uv_command(environment)
    if uv is not None:
        sync = ["pip", "sync", "--require-hashes", "--python", str(environment.python), lock_file]
        if _run_verbose([*uv, *sync], _uv_variables(environment)) == 0:
            return
        print_line("uv failed to install. Trying pip, which is slower.")
    pip = _pip_command(environment)
    if pip is None:
        raise InstallError("The installation failed. See the output above.")
    options = ["--require-hashes", "--no-deps", "--disable-pip-version-check", "-r", lock_file]
    if _run_verbose([*pip, "install", *options], dict(os.environ)) != 0:
        raise InstallError(
            "The installation failed. See the output above. "
            "Without network access, set PIP_INDEX_URL to a mirror."
        )


def read_output(command: list[str]) -> str:
    """Return the standard output of a successful command, otherwise an empty string."""
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return ""
    return result.stdout if result.returncode == 0 else ""


def _uv_command(environment: VirtualEnvironment) -> list[str] | None:
    """Return the command for the pinned uv.

    It is the uv on PATH if that has the pinned version, otherwise one installed by pip. Without
    either, it is the uv on PATH in any version, or None.
    """
    lock_file = environment.lock_file("bootstrap")
    pinned = re.search(r"^uv==([^\s;\\]+)", lock_file.read_text(), re.MULTILINE)
    version = pinned.group(1) if pinned else ""
    on_path = shutil.which("uv")
    for candidate in (str(environment.uv), on_path):
        if candidate and read_output([candidate, "--version"]).split(" ")[1:2] == [version]:
            return [candidate]
    pip = _pip_command(environment)
    if pip is not None:
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
        command = [*pip, "install", *options, "-r", str(lock_file)]
        if subprocess.run(command, check=False).returncode == 0:
            return [str(environment.uv)]
    elif not on_path:
        raise InstallError(
            f"{sys.executable} has neither ensurepip nor pip, so it cannot install packages.\n"
            "  On Debian and Ubuntu: apt install python3-venv. "
            "Or use another Python: make up PYTHON=python3.13"
        )
    return [on_path] if on_path else None


def _pip_command(environment: VirtualEnvironment) -> list[str] | None:
    """Return the command of a pip that installs into the environment.

    None if there is none (Debian without python3-venv).
    """
    own = [str(environment.python), "-m", "pip"]
    if not read_output([*own, "--version"]):
        read_output([str(environment.python), "-m", "ensurepip"])
    outside = [sys.executable, "-m", "pip", "--python", str(environment.python)]
    for candidate in (own, outside):
        if read_output([*candidate, "--version"]):
            return candidate
    virtualenv = shutil.which("virtualenv")  # ships its own pip
    if virtualenv and read_output([virtualenv, "--python", sys.executable, str(environment.home)]):
        return own
    return None


def _uv_variables(environment: VirtualEnvironment) -> dict[str, str]:
    """Return the process environment for uv, with pip's settings under uv's names.

    uv can then install wherever pip can.
    """
    variables = dict(os.environ)
    for name, value in _pip_settings(environment).items():
        if name in UV_VARIABLES and value:
            variables.setdefault(UV_VARIABLES[name], " ".join(value.split()))
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = ",".join(re.split(r"[\s,]+", variables["UV_FIND_LINKS"]))
    # Like pip, search all indexes for the locked version. The hashes identify the right file.
    variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    cache = read_output([shutil.which("uv") or str(environment.uv), "cache", "dir"]).strip()
    with contextlib.suppress(OSError):
        Path(cache).mkdir(parents=True, exist_ok=True)
        if cache and Path(cache).stat().st_dev != environment.home.stat().st_dev:
            # Hard links cannot cross file systems, and uv would print a warning.
            variables.setdefault("UV_LINK_MODE", "copy")
    variables.pop("VIRTUAL_ENV", None)
    return variables


def _pip_settings(environment: VirtualEnvironment) -> dict[str, str]:
    """Return pip's settings by long name, from its files (if pip is present) and variables."""
    settings = {}
    pip_config = [str(environment.python), "-m", "pip", "config", "list"]
    for line in read_output(pip_config).splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install"):
            with contextlib.suppress(ValueError, SyntaxError):
                settings[option] = str(ast.literal_eval(value))
    for variable, value in os.environ.items():
        if variable.startswith("PIP_"):
            settings[variable[4:].lower().replace("_", "-")] = value
    return settings


def _run_verbose(command: list[str], variables: dict[str, str]) -> int:
    """Run a command and print its output, without uv's package list (" + name==version")."""
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if not re.match(r" [-+~] ", line):
                print_line("  " + line.rstrip())
    return process.returncode
