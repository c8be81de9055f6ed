"""Which ports are free, and who holds one that is not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import psutil

from local.settings import HOST

LOOK_SECONDS = 0.2  # loopback answers at once or never


def free() -> int:
    """A port on loopback that nobody holds just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def obstacle(port: int) -> str | None:
    """Why `port` cannot be listened on, as the end of a sentence; None if it can.

    A listener on ::1 alone counts: browsers and psql try it first for "localhost" and would reach
    the wrong program.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections of an earlier run may linger
            probe.bind((HOST, port))
    except OSError as error:
        if error.errno == errno.EACCES:
            return "needs root (it is below 1024)"
        return f"is taken by {holder(port)}"
    if any(
        _answers(family, address, port)
        for family, address in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1"))
    ):
        return f"is taken by {holder(port)}"
    return None


def holder(port: int) -> str:
    """The process that listens on `port`: "process 4711 (python3 -m http.server)"."""
    for pid in _listeners(port):
        if pid is not None:
            return describe(pid)
    return "a process of another user (as root, `ss -ltnp` or `lsof -i` names it)"


def describe(pid: int) -> str:
    """A process as people recognise it, its command cut to 120 characters."""
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid} ({command[:120]})"


def _listeners(port: int) -> Iterator[int | None]:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
            ):
                yield connection.pid
    except psutil.AccessDenied:  # macOS shows a user their own processes only, and one by one
        for process in psutil.process_iter():
            try:
                connections = process.net_connections("tcp")
            except psutil.Error:
                continue
            if any(
                one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections
            ):
                yield process.pid


def _answers(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.settimeout(LOOK_SECONDS)
            return probe.connect_ex((address, port)) == 0
    except OSError:  # no IPv6 here
        return False
