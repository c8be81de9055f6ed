"""Process of the monitor, `python -m monitoring`.

The inference service starts it and holds its standard input open. It ends when that closes.
"""

import os
import signal
import sys
import threading
import time

from servicekit import json_logging
from servicekit.settings import secret

EXIT_SECONDS = 1.0  # after the end of the input, also from within a call to a frozen Postgres
NICENESS = 10  # requests and the log come first


def main() -> None:
    """Run until the standard input ends."""
    json_logging.configure()
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent handles them
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    stopping = threading.Event()
    threading.Thread(target=_stop_at_end_of_input, args=[stopping], daemon=True).start()
    # Before the imports below: more threads would only take time from requests, and the metrics of
    # the workers have a directory of their own.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    from monitoring.metrics import MonitorCollector, serve  # noqa: PLC0415
    from monitoring.service import Monitor  # noqa: PLC0415
    from monitoring.settings import from_environment  # noqa: PLC0415
    from monitoring.storage.connection import Database  # noqa: PLC0415

    try:
        settings = from_environment()
        password = secret(os.environ, "PGPASSWORD")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    if password is not None:
        os.environ["PGPASSWORD"] = password
    collector = MonitorCollector()
    serve(collector, settings)
    Monitor(settings, Database(), collector).run(stopping)


def _stop_at_end_of_input(stopping: threading.Event) -> None:
    while os.read(0, 1):
        pass
    stopping.set()
    time.sleep(EXIT_SECONDS)
    os._exit(0)  # a transaction in progress is rolled back


if __name__ == "__main__":
    main()
