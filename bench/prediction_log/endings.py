"""Endings: what a service loses under load whose journal ends with it, as in a container."""

import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus

import psycopg2

from bench.fixtures.models import LENET, ROOT
from bench.harness.server import start_service
from bench.prediction_log.requests import QUIET
from tests.support.load import Load, make_questions

CONNECTIONS, RATE, SECONDS = 4, 200.0, 5.0
# The service has this time to stop.
STOP_SECONDS = 10


@dataclass(frozen=True)
class Ending:
    """Predictions that were answered, those of them that are not in Postgres, and the stop."""

    answered: int
    lost: int
    stop_seconds: float


def measure(images: Sequence[bytes], *, kills: bool) -> Ending:
    """End a service under load, by SIGKILL or SIGTERM. `images` last for SECONDS and more."""
    with start_service("ephemeral journal", ROOT / "models", IMAGES_STORE=0, **QUIET) as server:
        with Load(server.port, make_questions([LENET], images), CONNECTIONS, RATE) as load:
            time.sleep(SECONDS)
            processes, started = server.processes(), time.monotonic()
            if kills:  # the children first: they end as one container does
                for process in reversed(processes):
                    process.kill()
            else:
                server.process.terminate()
            server.process.wait(STOP_SECONDS)
            stop_seconds = time.monotonic() - started
        if server.journal is not None:
            shutil.rmtree(server.journal)
    answered = [one.request_id for one in load.answers if one.status == HTTPStatus.OK]
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT request_id) FROM prediction_events WHERE request_id = ANY (%s)",
            [answered],
        )
        [(stored,)] = cursor.fetchall()
    return Ending(len(answered), len(answered) - stored, stop_seconds)
