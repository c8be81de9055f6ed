"""TCP ports: finds free ports and names the process that occupies one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import psutil

from local.settings import HOST

CONNECT_TIMEOUT_SECONDS = 0.2  # loopback connects immediately or not at all


def find_free() -> int:
    """Return a currently free port on loopback."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def find_conflict(port: int) -> str | None:
    """Return the reason why `port` cannot be used, as the end of a sentence, or None.

    A listener on ::1 alone also counts. Browsers and psql try ::1 first for "localhost" and would
    reach the wrong program.
    """
    try:
        with socket.socket() as probe:
            # Connections of an earlier run may still be in TIME_WAIT.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except OSError as error:
        if error.errno == errno.EACCES:
            return "requires root, because it is below 1024"
        return f"is in use by {describe_listener(port)}"
    if any(
        _accepts_connections(family, address, port)
        for family, address in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1"))
    ):
        return f"is in use by {describe_listener(port)}"
    return None


def describe_listener(port: int) -> str:
    """Return the process that listens on `port`, as "process 4711 (python3 -m http.server)"."""
    for pid in _listener_pids(port):
        if pid is not None:
            return describe_process(pid)
    return "a process of another user (`ss -ltnp` or `lsof -i` as root shows it)"


def describe_process(pid: int) -> str:
    """Return a process id with its command, truncated to 120 characters."""
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid} ({command[:120]})"


def _listener_pids(port: int) -> Iterator[int | None]:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
            ):
                yield connection.pid
    except psutil.AccessDenied:  # macOS only shows a user's own processes, one at a time
        for process in psutil.process_iter():
            try:
                connections = process.net_connections("tcp")
            except psutil.Error:
                continue
            if any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
                for connection in connections
            ):
                yield process.pid


def _accepts_connections(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.settimeout(CONNECT_TIMEOUT_SECONDS)
            return probe.connect_ex((address, port)) == 0
    except OSError:  # IPv6 is unavailable
        return False
