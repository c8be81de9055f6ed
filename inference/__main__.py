"""`python -m inference`: the service under uvicorn until it is told to stop."""

import logging
import sys

import uvicorn

from inference.app import create_app
from inference.settings import from_environment

# uvicorn waits this long for the answers that are under way when it is told to stop.
GRACE_SECONDS = 8


def main() -> None:
    """Serve on API_HOST:API_PORT."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = from_environment()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )


if __name__ == "__main__":
    main()
