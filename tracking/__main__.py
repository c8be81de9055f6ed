"""Process of tracking, `python -m tracking`.

The inference service starts it and holds its standard input open. It ends when that closes. It
listens on the Unix socket that TRACKING_SOCKET names.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from servicekit import json_logging
from servicekit.settings import secret
from servicekit.tracking_status import SOCKET_VARIABLE, TrackingStatus

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

EXIT_SECONDS = 2.0  # after the end of the input, also from within a call to a frozen Postgres
GRACE_SECONDS = 1  # of these, for the requests in progress
NICENESS = 10  # predictions come first
KEEP_ALIVE_SECONDS = 3600  # the workers close their connections


def main() -> None:
    """Serve until the standard input ends."""
    json_logging.configure()
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent handles them
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # the workers' own
    from inference.originals.open_store import open_store  # noqa: PLC0415
    from tracking.app import create_app  # noqa: PLC0415
    from tracking.maintenance import Maintenance  # noqa: PLC0415
    from tracking.settings import from_environment  # noqa: PLC0415
    from tracking.storage.stores import open_stores  # noqa: PLC0415

    socket = Path(os.environ[SOCKET_VARIABLE])
    try:
        settings = from_environment()
        store = open_store(settings.images_url)
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    if password is not None:
        os.environ["PGPASSWORD"] = password
    status = TrackingStatus()
    stores = open_stores(store, settings.default_task, settings.max_artifact_bytes)
    server = _server(create_app(stores, status), socket)
    stopping = threading.Event()
    threading.Thread(target=_serve, args=[server, stopping], name="server").start()
    threading.Thread(target=_stop_at_end_of_input, args=[server], daemon=True).start()
    Maintenance(stores, status, socket, settings.silent_seconds).run(stopping)
    stores.close()


def _server(app: "ASGIApp", socket: Path) -> "uvicorn.Server":
    import uvicorn  # noqa: PLC0415

    from tracking.http_protocol import HttpProtocol  # noqa: PLC0415

    config = uvicorn.Config(
        app,
        uds=str(socket),
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)


def _serve(server: "uvicorn.Server", stopping: threading.Event) -> None:
    """Serve until `should_exit` is set. uvicorn handles signals in the main thread only."""
    try:
        server.run()
    finally:
        stopping.set()


def _stop_at_end_of_input(server: "uvicorn.Server") -> None:
    while os.read(0, 1):
        pass
    server.should_exit = True
    time.sleep(EXIT_SECONDS)
    os._exit(0)  # a transaction in progress is rolled back


if __name__ == "__main__":
    main()
