"""Faulty loop: a learning stack with a Postgres of its own, whose processes a test kills and stops.

The champion is the shipped softmax regression, which reads the drawn digits badly. So each
candidate is better, and each run publishes a version and moves the alias.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.conftest import SHIPPED
from tests.support import lease_audit
from tests.support.learning_stack import EXPERIMENT, LearningStack, digests, noisy_digits

MARK = "AUDITED_WORKER"  # a variable that all processes of a worker inherit
IMAGES = 60
LABELED = "stored"
END_SECONDS = 15.0
CHAMPION = """
SELECT id FROM move_alias('mnist', 'champion', %s, 1, (
    SELECT digest FROM model_versions WHERE experiment_name = %s AND version = 1 LIMIT 1),
    'test', 'a weaker model')
"""
SHIPPED_IS_READY = "SELECT 1 FROM model_versions WHERE version = 1 AND status = 'READY'"
PREDICTIONS = "SELECT count(*) FROM predictions"
LABEL = "SELECT outcome FROM label_prediction(%s, %s, 'test', NULL)"


@contextlib.contextmanager
def open_server(folder: Path) -> Iterator[Postgres]:
    """Yield a server with the schema, which stops at the end."""
    settings = local_settings.read(
        {
            "LOCAL_DIR": str(folder / "server"),
            "DB_PORT": str(ports.find_free()),
            "API_PORT": "1",
            "WEB_PORT": "2",
        }
    )
    server = Postgres(settings)
    try:
        server.open()
        none = str(folder / "none")
        variables = settings.libpq_variables("postgres", settings.owner_password)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**variables, "DATA_CSV": none, "DATA_DIR": none}.items():
                patch.setenv(name, value)
            set_up(from_environment(os.environ))
        yield server
    finally:
        server.stop(timeout_seconds=5)


class FaultyLoop(LearningStack):
    """The service and workers, whose writes are audited."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        settings = server.settings
        super().__init__(settings.libpq_variables("postgres", settings.owner_password), folder)
        self.server = server
        self.workers: list[subprocess.Popen[bytes]] = []  # the ones that should be alive
        self._numbers: dict[str, int] = {}  # process id by number
        try:
            self._unlabeled = self._prepare()
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> list[tuple[str, str]]:
        """Make the shipped model the champion, and return predictions with the correct labels."""
        self.rows(lease_audit.INSTALL)
        hidden = self.models / ".shipped"
        shutil.copytree(SHIPPED / EXPERIMENT, hidden)
        hidden.rename(self.models / EXPERIMENT)
        self.wait(lambda: self.rows(SHIPPED_IS_READY))
        self.weaken_champion()
        images, labels = noisy_digits(1, seed=9)
        chosen = slice(None, None, len(images) // IMAGES)
        self.wait(lambda: self.champion() == (EXPERIMENT, 1))
        answers = self.predict(images[chosen])
        self.wait(lambda: self.rows(PREDICTIONS) == [(len(answers),)])
        stored = "SELECT count(*) FROM images WHERE stored_at IS NOT NULL"
        self.wait(lambda: self.rows(stored) == [(len(answers),)])
        return [
            (answers[digest]["prediction_id"], str(label))
            for digest, label in zip(digests(images[chosen]), labels[chosen], strict=True)
        ]

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker that promotes by itself."""
        number = len(self._numbers) + 1
        worker = self.start(
            AUTO_PROMOTE="1",
            RETRAIN_AFTER_LABELS="0",
            PGOPTIONS=lease_audit.options(number),
            **{MARK: str(number)},
        )
        self._numbers[str(number)] = worker.pid
        self.workers.append(worker)
        return worker

    def weaken_champion(self) -> None:
        """Let the alias name the shipped model again."""
        self.rows(CHAMPION, EXPERIMENT, EXPERIMENT)

    def request_run(self, seeds: int = 1) -> int:
        """Request a run with other data than the ones before, which publishes its model."""
        self.weaken_champion()
        while True:
            prediction, label = self._unlabeled.pop()
            [(outcome,)] = self.rows(LABEL, prediction, label)
            if outcome == LABELED:
                break
        statement = (
            "SELECT run_id FROM request_run('mnist', %s, %s, 'manual', 'test', 'fault injection')"
        )
        [(run,)] = self.rows(statement, EXPERIMENT, json.dumps({"seeds": seeds, "keep": True}))
        return int(run)

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill the process group of a worker, and wait until no process of it is left."""
        self.workers.remove(worker)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        self.wait(lambda: not self.processes_of(worker), END_SECONDS)

    def processes_of(self, worker: subprocess.Popen[bytes] | None = None) -> list[psutil.Process]:
        """Return the processes that a worker started, or those of all workers of this loop."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if environment.get("PIPELINE_WORK") != str(self.work) or MARK not in environment:
                    continue
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if worker is None or self._numbers[environment[MARK]] == worker.pid:
                    found.append(process)
        return found

    def is_writer(self, number: str, holder: str | None) -> bool:
        """Return whether the worker with a number is the one that held the lease."""
        return f"-{self._numbers.get(number)}-" in (holder or "")

    def freeze_postgres(self, seconds: float) -> None:
        """Stop all processes of Postgres for some seconds."""
        pid_file = self.server.data / "postmaster.pid"
        postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(seconds)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def kill_service(self) -> None:
        """Kill the service and its workers."""
        os.killpg(self.service.pid, signal.SIGKILL)
        self.service.wait()

    def unleased_writes(self) -> list[tuple[object, ...]]:
        """Return the writes of run processes whose worker did not hold the lease."""
        return [row for row in self.rows(lease_audit.WRITES) if not self.is_writer(row[3], row[4])]
