"""Queue: the Procrastinate application. The functions of migration 0014 add its jobs."""

import logging
from collections.abc import Awaitable, Callable

import procrastinate

from pipeline.database import CONNECT_TIMEOUT_SECONDS

QUEUE = "pipeline"
TASK = "run"
SCHEMA = "procrastinate"
MAX_CONNECTIONS = 3  # one of them listens for notifications


def create_app(execute: Callable[[int], Awaitable[None]]) -> procrastinate.App:
    """Return the application; `execute` takes the id of a run. libpq's variables name the server.

    A job is never retried: a run that its worker gave back, or that a sweep freed, has a new one.
    """
    # Its messages about each job repeat those of the runner.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    connector = procrastinate.PsycopgConnector(
        kwargs={
            "options": f"-c search_path={SCHEMA},public",
            "application_name": "mlops pipeline queue",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        },
        min_size=1,
        max_size=MAX_CONNECTIONS,
        timeout=CONNECT_TIMEOUT_SECONDS,  # by default 30 s, for each statement of an outage
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=TASK, queue=QUEUE)
    async def run(run_id: int) -> None:
        await execute(run_id)

    return app
