"""Promises of the learning loop: compares what runs left behind with what they may leave."""

import contextlib
import hashlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import psycopg2

from pipeline.steps import plan
from tests.support.faulty_loop import FaultyLoop
from tests.support.learning_stack import EXPERIMENT

SWEEP_SECONDS = 30.0
POLL_SECONDS = 0.2
RUNS = "SELECT id, state, reason FROM pipeline_runs ORDER BY id"
STEPS = """
SELECT run_id, name, count(*) FROM pipeline_steps WHERE state = 'SUCCEEDED' GROUP BY 1, 2
"""
MOVES = "SELECT run_id, count(*) FROM alias_events WHERE run_id IS NOT NULL GROUP BY 1"
REGISTERED = """
SELECT run_id, (outputs ->> 'version')::int, outputs ->> 'model_digest' FROM pipeline_steps
WHERE name = 'register' AND state = 'SUCCEEDED' ORDER BY run_id
"""
OPEN_ROWS = """
SELECT (SELECT count(*) FROM pipeline_steps WHERE state = 'RUNNING')
     + (SELECT count(*) FROM pipeline_runs WHERE lease_token IS NOT NULL)
     + (SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status IN ('todo', 'doing'))
     + (SELECT count(*) FROM trainings t JOIN pipeline_runs r ON r.id = t.run_id
        WHERE r.state = 'SUCCEEDED' AND t.outcome = 'RUNNING')
"""
# Folders of finished runs are removed after a minute.
AGE = "UPDATE pipeline_runs SET finished_at = finished_at - interval '2 minutes'"

Promise = tuple[str, str, bool]


def check(
    loop: FaultyLoop, faults: Mapping[str, int], takeovers: Sequence[float], broken: Sequence[str]
) -> list[Promise]:
    """Stop the workers, and return each promise with its figure and whether it was kept.

    `faults` counts the faults by name, `takeovers` has the seconds of each, and `broken` the
    promises that were broken meanwhile.
    """
    rows = loop.rows(RUNS)
    runs = [run for run, _, _ in rows]
    states = Counter(state for _, state, _ in rows)
    bad_runs = [
        row for row in rows if not (row[1] == "SUCCEEDED" or (row[1] == "FAILED" and row[2]))
    ]
    succeeded = [run for run, state, _ in rows if state == "SUCCEEDED"]
    reasons = [f"run {run}: {reason}" for run, state, reason in rows if state == "FAILED"]
    steps = {(run, name): count for run, name, count in loop.rows(STEPS)}
    bad_steps = [
        (run, name, steps.get((run, name), 0))
        for run in runs
        for name in plan.RETRAIN
        if steps.get((run, name), 0) > 1 or (run in succeeded and (run, name) not in steps)
    ]
    versions, bad_versions = count_versions(loop), find_bad_versions(loop)
    moves = Counter(dict(loop.rows(MOVES)))
    unleased = loop.unleased_writes()
    writes = len(loop.rows("SELECT 1 FROM audited_writes"))
    loop.rows(AGE)
    left = _eventually_empty(lambda: leftovers(loop, succeeded))
    open_rows = _eventually_empty(lambda: [count for (count,) in loop.rows(OPEN_ROWS) if count])
    workers = list(loop.workers)
    for worker in workers:
        worker.terminate()
    statuses = [_status(worker) for worker in workers]
    orphans = _eventually_empty(
        lambda: [" ".join(process.cmdline()) for process in loop.processes_of()]
    )
    happened = ", ".join(
        f"{name.replace('_', ' ')} {count}" for name, count in sorted(faults.items())
    )
    slowest = f"{max(takeovers):.1f} s" if takeovers else "none"
    return [
        ("faults", happened, True),
        ("runs by state", f"{dict(states)} {reasons or ''}".strip(), not bad_runs),
        ("runs with a verdict that moved the alias", f"{len(moves)} of {len(runs)}", True),
        ("one SUCCEEDED row a step", f"{len(steps)} steps, bad: {bad_steps}", not bad_steps),
        (
            "at most one version a run and a model",
            f"{sum(versions.values())} versions, bad: {bad_versions}",
            not bad_versions,
        ),
        (
            "at most one alias event a run",
            f"{moves.total()} events",
            all(count <= 1 for count in moves.values()),
        ),
        ("writes without the lease", f"{unleased[:5]} of {writes}", not unleased),
        (
            "takeovers",
            f"{len(takeovers)}, the slowest after {slowest}; {broken}",
            not broken,
        ),
        (
            "workers alive at the end, and their exit codes",
            f"{len(statuses)}: {statuses}",
            bool(statuses) and not any(status != 0 for status in statuses),
        ),
        ("processes left", str(orphans), not orphans),
        ("files left", str(left), not left),
        ("rows left open", str(open_rows), not open_rows),
    ]


def count_versions(loop: FaultyLoop) -> Counter[int]:
    """Return the number of published versions by run."""
    cards = (loop.models / EXPERIMENT).glob("*/card.json")
    return Counter(json.loads(card.read_text())["run"]["id"] for card in cards)


def find_bad_versions(loop: FaultyLoop) -> list[str]:
    """Return what is wrong with the published versions.

    A run whose model is that of an earlier run publishes none: its register step names that one.
    """
    files = (loop.models / EXPERIMENT).glob("*/model.tflite")
    digests = {int(f.parent.name): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    counts = Counter(digests.values())
    return [
        *(f"{count} versions of {digest}" for digest, count in counts.items() if count > 1),
        *(
            f"{count} versions of run {run}"
            for run, count in count_versions(loop).items()
            if count > 1
        ),
        *(
            f"version {version} of run {run} has another model"
            for run, version, digest in loop.rows(REGISTERED)
            if digests.get(version) != digest
        ),
    ]


def leftovers(loop: FaultyLoop, succeeded: list[int]) -> list[str]:
    """Return hidden files of the model directory, and folders of runs that succeeded."""
    folders = [loop.work / str(run) for run in succeeded]
    return [
        *(path.name for path in loop.models.glob(".*")),
        *(path.name for path in (loop.models / EXPERIMENT).glob(".*")),
        *(f"work/{folder.name}" for folder in folders if folder.exists()),
    ]


def _eventually_empty(read: Callable[[], list[object]] | Callable[[], list[str]]) -> list[object]:
    """Return what is left after a while, at best nothing."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg2.OperationalError):
            if not read():
                return []
        time.sleep(POLL_SECONDS)
    return list(read())


def _status(worker: subprocess.Popen[bytes]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return worker.wait(10)
    return None
