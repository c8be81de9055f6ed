"""A Postgres that the measured service logs its predictions to, set up as a start of the stack
does.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.fixtures.models import ROOT
from bench.harness.service import free_port
from bench.reporting.sampling import say
from db.initialize import set_up
from db.settings import from_environment
from local import settings as local_settings
from local.postgres import Postgres


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Start a Postgres of its own and let the environment point to it, for the servers that are
    started meanwhile.
    """
    with empty() as server:
        os.environ["DATA_CSV"] = str(ROOT / "data.csv")
        say("Setting the database up")
        set_up(from_environment(os.environ))
        os.environ.update(
            server.settings.libpq_variables("mlops_app", server.settings.app_password)
        )
        yield


@contextlib.contextmanager
def empty() -> Iterator[Postgres]:
    """Start a Postgres of its own without any data, and let the environment point to it as its
    owner.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlops-bench-"))
    numbers = {name: str(free_port()) for name in ("DB_PORT", "API_PORT", "WEB_PORT")}
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
