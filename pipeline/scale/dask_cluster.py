"""Dask cluster: its scheduler and worker processes, with the settings that the pipeline needs.

A client that reaches a scheduler or a worker can run code there, because tasks are pickles. Each
listens on one address, and serves no dashboard. TLS certificates come from Dask's own
settings (DASK_DISTRIBUTED__COMM__TLS__...), with addresses of tls:// instead of tcp://.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dask
from distributed.cli import dask_scheduler, dask_worker

# Dask starts an HTTP server even without a dashboard: on loopback, on any port, without pages.
NO_DASHBOARD = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")
SETTINGS: Mapping[str, Any] = {
    # A dead worker counts against all tasks that it had, also those that had not started.
    "distributed.scheduler.allowed-failures": 10,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Tasks need little memory, and a paused worker would look like a lost one.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


def run_scheduler(host: str, port: int, protocol: str) -> None:
    """Run a scheduler until a signal ends it. The protocol is tcp or tls."""
    address = ["--host", host, "--port", str(port), "--protocol", protocol]
    _run(dask_scheduler.main, [*address, *NO_DASHBOARD])


def run_worker(url: str, host: str | None, processes: int) -> None:
    """Run worker processes of one thread until a signal ends them, or the scheduler is lost.

    A process that dies is started again. Without a scheduler at `url`, they wait for one. `host` is
    the only address that they listen on, by default the one from which they reach the scheduler.
    Raises OSError if the scheduler's name is unknown.
    """
    own = ["--host", host or own_address(url)]
    counts = ["--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0"]
    _run(dask_worker.main, [url, *own, *counts, *NO_DASHBOARD])


def own_address(url: str) -> str:
    """Return the address of this machine from which it reaches a scheduler.

    Without an address, Dask's workers listen on all. Raises OSError if the name is unknown.
    """
    parts = urlsplit(url)
    [(family, kind, *_, address), *_] = socket.getaddrinfo(
        parts.hostname, parts.port, type=socket.SOCK_DGRAM
    )
    with socket.socket(family, kind) as probe:
        probe.connect(address)  # sends nothing
        own: str = probe.getsockname()[0]
        return own


def _run(command: Any, arguments: Sequence[str]) -> None:
    with dask.config.set(SETTINGS):
        command.main(list(arguments), standalone_mode=False)
