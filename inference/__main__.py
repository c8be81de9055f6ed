"""`python -m inference`.

The service under uvicorn, in API_WORKERS processes, until it is told to stop.
"""

import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import tempfile
import threading

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from inference import import_stubs
from inference.prediction_log.shipper_process import ShipperProcess
from inference.server.http_protocol import Protocol
from inference.server.listener import Port
from inference.settings import from_environment
from servicekit import json_logging
from servicekit.settings import secret

# uvicorn waits this long for the answers that are under way when it is told to stop.
GRACE_SECONDS = 7
# A thread that comes back from a model waits so long for Python's lock; in the default of 5 ms it
# would run ten more.
SWITCH_SECONDS = 50e-6
# Descriptors that a worker asks for: the usual 1,024 are fewer than the connections that it keeps.
MAX_DESCRIPTORS = 16_384


def main() -> None:
    """Serve on API_HOST:API_PORT."""
    json_logging.configure()
    try:
        settings = from_environment()
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    if password is not None:
        os.environ["PGPASSWORD"] = (
            password  # libpq, here and in the shipper, knows no PGPASSWORD_FILE
        )
    config = uvicorn.Config(
        "inference.__main__:worker",
        factory=True,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        # With several workers, asyncio's own loop answers small requests in 44 ms instead of 0.2.
        loop="uvloop",
        http=Protocol,
        ws="none",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        proxy_headers=False,  # no answer depends on who asks
    )
    if settings.workers == 1:
        with ShipperProcess():
            uvicorn.Server(config).run()
        return
    try:
        port = Port(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.")
    with ShipperProcess(), tempfile.TemporaryDirectory(prefix="mlops-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory  # the workers count there together
        # It only hands it to the workers
        Multiprocess(config, sockets=[port]).run()  # type: ignore[list-item]


def worker() -> ASGIApp:
    """Return the application of one worker process.

    It stops when its parent has died: another one will want the port.
    """
    json_logging.configure()  # also for what is said on import
    with import_stubs.left_out():
        # after main has said where metrics are counted; the parent needs none of it
        from inference.app import create_app  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MAX_DESCRIPTORS:
        most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    sys.setswitchinterval(SWITCH_SECONDS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(
            target=_stop_after, args=[parent.sentinel], name="parent", daemon=True
        ).start()
    return create_app(from_environment())


def _stop_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
