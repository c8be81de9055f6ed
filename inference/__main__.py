"""`python -m inference`: the service. With a command, `publish`, `convert` or `keys`: a tool."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from inference.background_process import BackgroundProcess
from inference.models import compile_failures
from inference.observability.shared_directory import shared_directory
from inference.originals.open_store import open_store
from inference.server.http_protocol import HttpProtocol
from inference.server.listener import SharedPort
from inference.settings import Settings, from_environment
from servicekit import json_logging
from servicekit.settings import secret
from servicekit.tracking_status import SOCKET_FILE, SOCKET_VARIABLE

COMMANDS = {
    "publish": "inference.models.publish",
    "convert": "inference.compiler.convert",
    "keys": "inference.server.api_keys",
}
# On a stop, uvicorn waits this long for the requests in progress.
GRACE_SECONDS = 7
# A thread that returns from a model waits this long for Python's lock. At the default of 5 ms, ten
# more would have run.
SWITCH_SECONDS = 50e-6
# Open files of a worker: the usual limit of 1,024 is below the connections that it accepts.
MAX_OPEN_FILES = 16_384


def main(arguments: Sequence[str] = ()) -> int:
    """Serve on API_HOST:API_PORT, or run the named command; return the exit code."""
    if arguments:
        return _run_command(*arguments)
    json_logging.configure()
    try:
        settings = from_environment()
        open_store(settings.images_url)  # raises ValueError for an invalid URL
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    with contextlib.suppress(OSError):
        compile_failures.remove_all(settings.compiled_dir)
    if password is not None:
        # libpq, in this process and in its children, does not know PGPASSWORD_FILE.
        os.environ["PGPASSWORD"] = password
    config = uvicorn.Config(
        "inference.__main__:worker",
        factory=True,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        # With several workers, asyncio's own loop answers small requests in 44 ms instead of 0.2.
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
        proxy_headers=False,  # no response depends on the client's address
    )
    if settings.workers == 1:
        with _children(settings):
            uvicorn.Server(config).run()
        return 0
    try:
        port = SharedPort(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.")
    with _children(settings), shared_directory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # shared by all workers
        # uvicorn only hands the socket to the workers.
        Multiprocess(config, sockets=[port]).run()  # type: ignore[list-item]
    return 0


@contextlib.contextmanager
def _children(settings: Settings) -> Iterator[None]:
    """Run the processes beside the workers: the shipper of the log, the monitor and tracking."""
    with contextlib.ExitStack() as stack:
        children = [BackgroundProcess("inference.background", "background process")]
        if settings.monitors:
            children.append(BackgroundProcess("monitoring", "monitor"))
        if settings.tracks:
            # Private: whoever can connect to the socket needs no API key.
            directory = stack.enter_context(shared_directory())
            os.environ[SOCKET_VARIABLE] = str(directory / SOCKET_FILE)
            children.append(BackgroundProcess("tracking", "tracking process"))
        for child in children:
            stack.enter_context(child)
        try:
            yield
        finally:
            for child in children:  # all end at the same time, within the ten seconds of a stop
                child.hang_up()


def worker() -> ASGIApp:
    """Return the application of one worker process, which stops when its parent has died."""
    json_logging.configure()  # before the imports, which may log
    # Here, because the metrics read PROMETHEUS_MULTIPROC_DIR on import, and because the parent
    # process needs none of it.
    from inference.app import create_app  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < MAX_OPEN_FILES:
        is_unlimited = hard == resource.RLIM_INFINITY
        limit = MAX_OPEN_FILES if is_unlimited else min(hard, MAX_OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    sys.setswitchinterval(SWITCH_SECONDS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(
            target=_stop_after, args=[parent.sentinel], name="parent", daemon=True
        )
        watch.start()
    return create_app(from_environment())


def _run_command(name: str, *arguments: str) -> int:
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"Unknown command {name!r}. The commands are {known}.", file=sys.stderr)
        return 2
    code: int = importlib.import_module(COMMANDS[name]).main(arguments)
    return code


def _stop_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
