"""`python -m inference`: the service. With a command, such as `publish` or `convert`: a tool."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from inference import fallback_directories
from inference.background_process import BackgroundProcess
from inference.drain import Drain
from inference.models import compile_failures
from inference.models.replica import REPLICA_VARIABLE, Replica
from inference.observability.shared_directory import shared_directory
from inference.originals.local_store import LocalStore
from inference.originals.open_store import open_store
from inference.registry.bucket import Bucket
from inference.server.http_protocol import HttpProtocol
from inference.server.listener import SharedPort
from inference.settings import Settings, from_environment
from servicekit import json_logging
from servicekit.settings import secret
from servicekit.tracking_status import SOCKET_FILE, SOCKET_VARIABLE

COMMANDS = {
    "publish": "inference.publish_command",
    "mirror": "inference.registry.command",
    "convert": "inference.compiler.convert",
    "keys": "inference.server.api_keys",
}
# On a stop, uvicorn waits this long for the requests in progress.
GRACE_SECONDS = 7
# A stop, after the drain, takes at most 10 s. The shipper gets the rest, at least a second.
STOP_SECONDS, MIN_SHIP_SECONDS = 8.0, 1.0
# A thread that returns from a model waits this long for Python's lock. At the default of 5 ms, ten
# more would have run.
SWITCH_SECONDS = 50e-6
# Open files of a worker: the usual limit of 1,024 is below the connections that it accepts.
MAX_OPEN_FILES = 16_384
JOIN_SECONDS = 0.1  # between two looks for a further signal


def main(arguments: Sequence[str] = ()) -> int:
    """Serve on API_HOST:API_PORT, or run the named command; return the exit code."""
    if arguments:
        return _run_command(*arguments)
    json_logging.configure()
    try:
        settings = _prepare_directories(from_environment())
        if settings.models_url:
            Bucket(settings.models_url)  # raises ValueError for an invalid URL
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    replica = Replica.find(settings.journal_dir, settings.port)
    replica.start()
    os.environ[REPLICA_VARIABLE] = replica.id
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
    stop = StopClock()
    if settings.workers == 1:
        # uvicorn repeats the signal when it has stopped. The children end after that.
        signal.signal(signal.SIGTERM, _exit)
        with _children(settings, stop):
            Server(config, stop).run()
        return 0
    try:
        port = SharedPort(settings.host, settings.port)
    except OSError as error:
        sys.exit(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.")
    with _children(settings, stop), shared_directory() as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # shared by all workers
        # uvicorn only hands the socket to the workers.
        Supervisor(config, [port], stop, settings.drain_seconds).run()  # type: ignore[list-item]
    return 0


def _prepare_directories(settings: Settings) -> Settings:
    """Return the settings of all processes, with directories to which they can write.

    Raises ValueError for an invalid IMAGES_URL, and without any writable directory.
    """
    store = open_store(settings.images_url)
    images_dir = store.path if isinstance(store, LocalStore) else None
    os.environ.update(fallback_directories.choose(settings, images_dir))
    return from_environment()


class StopClock:
    """Time that remains of a stop."""

    def __init__(self) -> None:
        self._began_at = time.monotonic()

    def begin(self, after_seconds: float = 0.0) -> None:
        """Note that the stop begins in `after_seconds`."""
        self._began_at = time.monotonic() + after_seconds

    def remaining_seconds(self) -> float:
        """Return the time that the shipper may take for the rest."""
        elapsed = max(0.0, time.monotonic() - self._began_at)
        return max(MIN_SHIP_SECONDS, STOP_SECONDS - elapsed)


class Server(uvicorn.Server):
    """The only worker, which notes when its stop begins."""

    def __init__(self, config: uvicorn.Config, stop: StopClock) -> None:
        super().__init__(config)
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._stop.begin()
        await super().shutdown(sockets)


class Supervisor(Multiprocess):
    """Supervisor of several workers. It forwards SIGTERM, and also a second one, to all of them."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        stop: StopClock,
        drain_seconds: float,
    ) -> None:
        super().__init__(config, sockets)
        self._stop, self._drain_seconds = stop, drain_seconds

    def terminate_all(self) -> None:
        """See uvicorn."""
        self._stop.begin(self._drain_seconds)
        self.signal_queue.clear()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for all workers. A further signal ends their drain."""
        while running := [worker for worker in self.processes if worker.process.is_alive()]:
            if self.signal_queue:
                self.signal_queue.clear()
                self._stop.begin()
                for worker in running:
                    worker.terminate()
            running[0].process.join(JOIN_SECONDS)


@contextlib.contextmanager
def _children(settings: Settings, stop: StopClock) -> Iterator[None]:
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
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end is near, and ships the rest
            # All end at the same time, within the ten seconds of a stop.
            children[0].hang_up(stop.remaining_seconds())
            for child in children[1:]:
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
    settings = from_environment()
    drain = Drain(settings.drain_seconds)
    drain.delay_stop()
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(
            target=_stop_after, args=[parent.sentinel, drain], name="parent", daemon=True
        )
        watch.start()
    return create_app(settings, drain)


def _run_command(name: str, *arguments: str) -> int:
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"Unknown command {name!r}. The commands are {known}.", file=sys.stderr)
        return 2
    code: int = importlib.import_module(COMMANDS[name]).main(arguments)
    return code


def _stop_after(sentinel: int, drain: Drain) -> None:
    multiprocessing.connection.wait([sentinel])
    drain.end()  # without the parent, another start may want the port, and the shipper ends


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
