"""Set-up faults: concurrent set-ups, and set-ups killed at any statement."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.integration.database.test_initialize import CONTENTS
from tests.resilience.stack import FaultyStack, print_figure
from tests.support.database import Database
from tests.support.repetitions import short_or_full

pytestmark = pytest.mark.slow

ROUNDS, AT_ONCE = short_or_full(2, 10), 8
KILLS = short_or_full(8, 200)
SEED = 6
STATE = """
SELECT to_regclass('experiments') IS NOT NULL,
       (SELECT count(*) FROM pg_tables
        WHERE schemaname = 'public' AND tablename !~ 'yoyo|^setup_lock$')
"""


@contextmanager
def new_database(stack: FaultyStack, folder: Path) -> Iterator[Database]:
    """Yield an empty database with the shipped CSV files."""
    name = f"set_up_{uuid.uuid4().hex}"
    stack.execute(f"CREATE DATABASE {name}")
    folder.mkdir()
    database = Database({**stack.database, "PGDATABASE": name}, folder)
    shutil.copy("data.csv", database.csv)
    shutil.copytree("data.d", folder / "data.d")
    try:
        yield database
    finally:
        stack.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.timeout(900)
def test_concurrent_set_ups_all_succeed(stack: FaultyStack, tmp_path: Path) -> None:
    succeeded, contents, errors = 0, set(), []
    for number in range(ROUNDS):
        with new_database(stack, tmp_path / str(number)) as database:
            children = [database.start_set_up() for _ in range(AT_ONCE)]
            for child in children:
                _, error = child.communicate(timeout=120)
                succeeded += child.returncode == 0
                errors.append(error)
            contents.add(database.rows(CONTENTS)[0])
    print_figure(
        f"{AT_ONCE} set-ups at once, {ROUNDS} times",
        f"{succeeded} of {AT_ONCE * ROUNDS} succeeded, {len(contents)} contents",
    )
    assert succeeded == AT_ONCE * ROUNDS, errors
    assert len(contents) == 1


@pytest.mark.timeout(1800)
def test_killed_set_up_is_atomic_and_the_next_converges(stack: FaultyStack, tmp_path: Path) -> None:
    with new_database(stack, tmp_path / "whole") as database:
        statements = run_killed_at(database, sys.maxsize)
        [whole] = database.rows(CONTENTS)
        [(_, tables)] = database.rows(STATE)
    assert statements >= KILLS, "the statements were not counted"
    numbers = sorted(Random(SEED).sample(range(1, statements + 1), KILLS))
    halves = []
    for number in numbers:
        with new_database(stack, tmp_path / str(number)) as database:
            assert run_killed_at(database, number) == number
            [(has_schema, made)] = database.rows(STATE)
            imports = (
                database.rows(
                    "SELECT count(*) FROM experiments UNION ALL SELECT count(*) FROM imports"
                )
                if has_schema
                else []
            )
            if made not in (0, tables) or imports not in ([], [(0,), (0,)], [(31,), (2,)]):
                halves.append((number, made, imports))
            database.set_up()
            assert database.rows(CONTENTS) == [whole], f"after a kill at statement {number}"
    print_figure(
        "set-up killed",
        f"at {len(numbers)} of {statements} statements (seed {SEED}):"
        f" {len(halves)} left half, all converged",
    )
    assert halves == []


def run_killed_at(database: Database, number: int) -> int:
    """Run a set-up that kills itself before a statement; return the number of its statements."""
    command = [sys.executable, "-m", "tests.support.killed_set_up", str(number)]
    child = subprocess.run(
        command,
        env={**os.environ, **database.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (child.returncode == 0) == (number == sys.maxsize), child.stderr
    return int(child.stdout.splitlines()[-1])
