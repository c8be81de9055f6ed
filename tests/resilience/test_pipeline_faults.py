"""The learning loop while workers are killed and frozen, with the real steps.

`make soak-pipeline` is the long form.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pipeline.steps import plan
from tests.resilience.pipeline_promises import MOVES, find_bad_versions, leftovers
from tests.resilience.pipeline_soak import soak
from tests.support.faulty_loop import FaultyLoop, open_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN_SECONDS = 240.0
TAKEOVER_SECONDS = 60.0
LATE_SECONDS = 3.0  # after a thaw, in which the frozen worker could write
SHORT_MINUTES = 0.3
EPOCH = """
SELECT 1 FROM pipeline_steps
WHERE run_id = %s AND name = 'train' AND state = 'RUNNING' AND (progress ->> 'epoch')::int >= 1
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyLoop]:
    folder = tmp_path_factory.mktemp("loop")
    with open_server(folder) as server:
        loop = FaultyLoop(server, folder)
        try:
            loop.start_worker()
            loop.start_worker()
            yield loop
        finally:
            loop.stop()


def test_random_faults_break_no_promise(tmp_path: Path) -> None:
    """The short form of the soak, with one run."""
    promises = soak(tmp_path, SHORT_MINUTES, Random(1), pause_seconds=(1, 4))
    assert [promise for promise in promises if not promise[2]] == []


@pytest.mark.parametrize("step", ["train", "register", "promote"])
def test_worker_frozen_in_a_step_writes_nothing_after_the_takeover(
    loop: FaultyLoop, step: str
) -> None:
    """The frozen worker goes on within the step, while or after another one repeats it."""
    # with one seed, a busy machine may see no epoch before the end of the training
    run = loop.request_run(seeds=3 if step == "train" else 1)
    if step == "promote":
        loop.kill_service()  # the version does not become READY, so the step waits
    _wait_for(loop, run, step)
    frozen, name = loop.process_of(run), loop.worker_of(run)
    os.killpg(frozen.pid, signal.SIGSTOP)
    assert (step, "RUNNING") in [(row[0], row[2]) for row in loop.steps(run)]
    loop.wait(lambda: loop.worker_of(run) not in (name, None), TAKEOVER_SECONDS)
    if step == "promote":
        loop.service = loop.start_service()
    os.killpg(frozen.pid, signal.SIGCONT)
    assert loop.wait_until_over(run, RUN_SECONDS)[0] == "SUCCEEDED"
    time.sleep(LATE_SECONDS)

    assert sorted(loop.succeeded(run)) == sorted(plan.RETRAIN)
    assert loop.unleased_writes() == []
    assert find_bad_versions(loop) == []
    assert Counter(dict(loop.rows(MOVES)))[run] == 1
    assert leftovers(loop, []) == []
    assert [worker.poll() for worker in loop.workers] == [None, None]


def _wait_for(loop: FaultyLoop, run: int, step: str) -> None:
    """Wait until a run is in the middle of a step."""
    if step == "train":
        loop.wait(lambda: loop.rows(EPOCH, run), RUN_SECONDS)
    elif step == "register":
        loop.wait(lambda: list(loop.models.glob(".publish-*")), RUN_SECONDS)
    else:
        loop.wait(lambda: _runs(loop, run, step), RUN_SECONDS)
        time.sleep(1)  # a poll of the version's state


def _runs(loop: FaultyLoop, run: int, step: str) -> bool:
    return (step, "RUNNING") in [(row[0], row[2]) for row in loop.steps(run)]
