"""Benchmark database: a temporary Postgres for the prediction log, set up like the stack's."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2

from bench.fixtures.models import ROOT
from bench.reporting.sampling import print_progress
from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres


@contextlib.contextmanager
def start_migrated() -> Iterator[None]:
    """Start a temporary Postgres with the schema.

    The environment points to it for all servers that start in the meantime.
    """
    with start_empty() as server:
        os.environ["DATA_CSV"] = str(ROOT / "data.csv")
        print_progress("Setting up the database")
        set_up(from_environment(os.environ))
        os.environ.update(
            server.settings.libpq_variables("mlops_app", server.settings.app_password)
        )
        yield


def processes() -> list[psutil.Process]:
    """Return the processes of the Postgres that the environment points to."""
    with contextlib.closing(psycopg2.connect("")) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        server = backend.parent()
        children = [] if server is None else server.children()
    return [one for one in (server, *children) if one is not None and one != backend]


def cpu_seconds() -> float:
    """Return the CPU time of this Postgres, with that of its processes that have ended.

    Raises RuntimeError if the server process is not visible, for example in another container.
    """
    with contextlib.closing(psycopg2.connect("")) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
        if server is None:
            raise RuntimeError("The server process of Postgres is not visible.")
        own = server.cpu_times()
        alive = [process.cpu_times() for process in server.children()]
    times = [own.children_user, own.children_system]
    return sum([*times, *(part for cpu in (own, *alive) for part in (cpu.user, cpu.system))])


@contextlib.contextmanager
def start_empty() -> Iterator[Postgres]:
    """Start a temporary Postgres without a schema.

    The environment points to it as the owner role.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlops-bench-"))
    numbers = {name: str(ports.find_free()) for name in ("DB_PORT", "API_PORT", "WEB_PORT")}
    server = Postgres(local_settings.read({"LOCAL_DIR": str(folder), **numbers}))
    before = dict(os.environ)
    try:
        server.open()
        os.environ.update(
            server.settings.libpq_variables("postgres", server.settings.owner_password)
        )
        yield server
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.stop(timeout_seconds=5)
        shutil.rmtree(folder, ignore_errors=True)
