"""The virtual environment in `.venv`.

Made, filled from a lock, and left alone while nothing has changed.

    python3 local/bootstrap.py up      what `make up` runs
    python3 local/bootstrap.py dev     that, and what tests, lint and training need
    python3 local/bootstrap.py bench   that, and what `make bench` compares with

Runs before anything is installed, so it knows the standard library alone, and on any Python from
3.7, to look for a newer one. Installs by uv, pinned in requirements/bootstrap.txt, which takes
seconds where pip takes minutes; pip is the way to uv and the way without it. Every file is checked
against the hashes in the lock, whoever installs it.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")  # the best supported first
GROUPS = ("up", "dev", "bench")  # each contains those before it

# pip's settings and the variables by which uv takes the same. uv reads neither pip's variables nor
# its files.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
}


class InstallError(Exception):
    """The environment cannot be made; the message says why and what to do."""


class Environment:
    """The virtual environment of one project folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".venv"
        self.python = self.home / "bin" / "python"
        self.uv = self.home / "bin" / "uv"
        self.stamp = self.home / "installed.json"
        self.unfinished = self.home / "unfinished"

    def lock(self, name: str) -> Path:
        """Return the lock file of a group."""
        return self.root / "requirements" / (name + ".txt")

    def wanted(self, group: str) -> str:
        """The fingerprint of `group` as it should be.

        Its lock, the folder (a venv cannot be moved) and the Python.
        """
        parts = (self.lock(group).read_bytes(), str(self.home).encode(), sys.version.encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def installed(self) -> dict[str, str]:
        """group -> fingerprint, as the last finished install left them; empty if there was none."""
        try:
            found = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def usable(self) -> bool:
        """Whether there is an environment of this Python and folder that no interrupted install
        left half filled.
        """
        if self.unfinished.exists() or not (self.home / "pyvenv.cfg").exists():
            return False
        probe = "import sys; print(sys.version); print(sys.prefix)"
        try:
            found = subprocess.run(
                [str(self.python), "-I", "-S", "-c", probe],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return False
        scripts_here = self._scripts_belong_here()
        return (
            found.returncode == 0 and found.stdout.startswith(sys.version + "\n") and scripts_here
        )

    def _scripts_belong_here(self) -> bool:
        """A moved folder keeps the old address in bin/activate and in the first line of every
        script.
        """
        try:
            return str(self.home) in (self.home / "bin" / "activate").read_text()
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the environment, a link to one included."""
        if self.home.is_symlink():
            self.home.unlink()
        elif self.home.exists():
            shutil.rmtree(str(self.home))


def install(root: Path, group: str) -> bool:
    """Make `.venv` hold `group`; False if it did already (which takes less than 0.2 s).

    Raises:
        InstallError: the environment could not be made or filled.
    """
    environment = Environment(root)
    with _one_at_a_time(environment.lock("bootstrap")):
        usable = environment.usable()
        installed = environment.installed() if usable else {}
        if installed.get(group) == environment.wanted(group):
            return False
        # Whoever runs the tests too should not lose their tools to the next `make up`.
        group = max([group, *installed], key=GROUPS.index)
        started = time.monotonic()
        say(
            "Installing into .venv (the first time takes a while: about 600 MB)"
            if not usable
            else "Updating .venv"
        )
        if not usable:
            environment.remove()
            _run(
                [sys.executable, "-m", "venv", "--without-pip", str(environment.home)],
                "cannot make .venv",
            )
        environment.unfinished.touch()
        _fill(environment, group)
        groups = GROUPS[: GROUPS.index(group) + 1]
        environment.stamp.write_text(
            json.dumps({name: environment.wanted(name) for name in groups})
        )
        environment.unfinished.unlink()
        say(f"Installed in {time.monotonic() - started:.0f} s")
        return True


def _fill(environment: Environment, group: str) -> None:
    lock = environment.lock(group)
    uv = _uv(environment)
    if uv is not None:
        command = [
            *uv,
            "pip",
            "sync",
            "--require-hashes",
            "--python",
            str(environment.python),
            str(lock),
        ]
        if _shown(command, _uv_environment(environment)) == 0:
            return
        say("uv could not install; trying pip, which is slower")
    pip = _pip(environment)
    if pip is None:
        raise InstallError("the install failed: see above")
    command = [
        *pip,
        "install",
        "--require-hashes",
        "--no-deps",
        "--disable-pip-version-check",
        "-r",
        str(lock),
    ]
    if _shown(command, dict(os.environ)) != 0:
        raise InstallError(
            "the install failed: see above. Without network access, set PIP_INDEX_URL to a mirror."
        )


def _uv(environment: Environment) -> list[str] | None:
    """The command of the pinned uv.

    The one on PATH if it is that version, else installed by pip; None if neither.
    """
    lock = environment.lock("bootstrap")
    pinned = re.search(r"^uv==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    version = pinned.group(1) if pinned else ""
    on_path = shutil.which("uv")
    for candidate in (str(environment.uv), on_path):
        if candidate and _output([candidate, "--version"]).split(" ")[1:2] == [version]:
            return [candidate]
    pip = _pip(environment)
    if pip is not None:
        command = [
            *pip,
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            str(lock),
        ]
        if subprocess.run(command, check=False).returncode == 0:
            return [str(environment.uv)]
    elif not on_path:
        raise InstallError(
            f"{sys.executable} has neither ensurepip nor pip, so nothing can be installed with it.\n"
            "  On Debian and Ubuntu: apt install python3-venv. Or name another Python: make up PYTHON=python3.13"
        )
    return [on_path] if on_path else None


def _pip(environment: Environment) -> list[str] | None:
    """The command of a pip that installs into the environment.

    None without any (Debian without python3-venv).
    """
    own = [str(environment.python), "-m", "pip"]
    if not _output([*own, "--version"]):
        _output([str(environment.python), "-m", "ensurepip"])
    outside = [sys.executable, "-m", "pip", "--python", str(environment.python)]
    for candidate in (own, outside):
        if _output([*candidate, "--version"]):
            return candidate
    virtualenv = shutil.which("virtualenv")  # brings a pip of its own
    if virtualenv and _output([virtualenv, "--python", sys.executable, str(environment.home)]):
        return own
    return None


def _uv_environment(environment: Environment) -> dict[str, str]:
    """The environment for uv, with pip's settings in uv's names: where pip can install, uv can."""
    variables = dict(os.environ)
    for name, value in _pip_settings(environment).items():
        if name in UV_VARIABLES and value:
            variables.setdefault(UV_VARIABLES[name], " ".join(value.split()))
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = ",".join(re.split(r"[\s,]+", variables["UV_FIND_LINKS"]))
    # As pip does, look at every index for the version that is locked; the hashes say which file is
    # the right one.
    variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    cache = _output([shutil.which("uv") or str(environment.uv), "cache", "dir"]).strip()
    with contextlib.suppress(OSError):
        Path(cache).mkdir(parents=True, exist_ok=True)
        if cache and Path(cache).stat().st_dev != environment.home.stat().st_dev:
            variables.setdefault(
                "UV_LINK_MODE", "copy"
            )  # hard links do not cross file systems; uv would warn
    variables.pop("VIRTUAL_ENV", None)
    return variables


def _pip_settings(environment: Environment) -> dict[str, str]:
    """pip's settings by their long names, from its files (if there is a pip to ask) and its
    variables.
    """
    settings = {}
    for line in _output([str(environment.python), "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install"):
            with contextlib.suppress(ValueError, SyntaxError):
                settings[option] = str(ast.literal_eval(value))
    for variable, value in os.environ.items():
        if variable.startswith("PIP_"):
            settings[variable[4:].lower().replace("_", "-")] = value
    return settings


def _output(command: list[str]) -> str:
    """Standard output of a command that worked, else the empty string."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise InstallError(f"{failure}:\n{done.stdout.strip()}")


def _shown(command: list[str], environment: dict[str, str]) -> int:
    """Run and show what it says, without uv's list of every package (" + name==version")."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if not re.match(r" [-+~] ", line):
                say("  " + line.rstrip())
    return process.returncode


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Hold a lock, so that two `make up` in a fresh clone do not fill one folder at once."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another install into .venv is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Show a line of progress at once."""
    print(text, flush=True)


def _with_a_newer_python() -> None:
    """Start again with a Python that is new enough; returns if there is none."""
    for name in NEWER_PYTHONS:
        path = shutil.which(name)
        check = f"import sys; print(sys.version_info >= {OLDEST_PYTHON!r})"
        if path and _output([path, "-c", check]).strip() == "True":
            os.execv(path, [path, *sys.argv])  # noqa: S606


def main(arguments: list[str]) -> int:
    """Install a group if it is not, and return the exit code."""
    if sys.version_info < OLDEST_PYTHON:
        _with_a_newer_python()
        say(
            f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split(chr(32), 1)[0]}."
        )
        say("Install one, or name one that is there: make up PYTHON=/path/to/python3.13")
        return 1
    if len(arguments) != 1 or arguments[0] not in GROUPS:
        say("usage: python3 local/bootstrap.py up|dev|bench")
        return 2
    try:
        install(Path(__file__).resolve().parent.parent, arguments[0])
    except InstallError as failure:
        say(f"make: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; the next run starts .venv anew")
        return 130
    except OSError as failure:
        say(f"Cannot install into .venv: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
