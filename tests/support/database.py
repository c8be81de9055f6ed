"""Databases of tests: connections from libpq's variables, and set-ups of a test's own CSV files."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest
from yoyo import get_backend, read_migrations

from db import initialize

HEADER = "Experiment Name,Learning Rate,Momentum,Loss,Test Accuracy\n"
LOSS = '"{""Step"": [1, 2, 3], ""Value"": [2.5, 0.5, 1.5]}"'


def connect(
    environment: Mapping[str, str], role: str | None = None
) -> psycopg2.extensions.connection:
    """Connect as the owner, or as a role with the default password."""
    return psycopg2.connect(
        host=environment["PGHOST"],
        port=int(environment["PGPORT"]),
        dbname=environment["PGDATABASE"],
        user=role or environment["PGUSER"],
        password="pass123" if role else environment["PGPASSWORD"],
    )


def csv_row(name: str, rate: object = 0.1) -> str:
    """Return a line of a CSV file with HEADER."""
    return f"{name},{rate},0.9,{LOSS},0.98\n"


def apply_migrations(database: str, folder: Path) -> None:
    """Apply those migrations of a folder that a database lacks. Its roles exist."""
    with get_backend(f"postgresql:///{database}") as backend:
        backend.apply_migrations(backend.to_apply(read_migrations(str(folder))))


class Database:
    """A database of one test, with a data.csv and a data.d of its own."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.csv, self.folder = folder / "data.csv", folder / "data.d"
        self.environment = {
            **os.environ,
            **environment,
            "DATA_CSV": str(self.csv),
            "DATA_DIR": str(self.folder),
        }

    def write(self, main: str, **additional: str) -> None:
        """Write data.csv with a header before its rows, and whole files of data.d by name."""
        self.csv.write_text(HEADER + main)
        self.folder.mkdir(exist_ok=True)
        for file in self.folder.iterdir():
            file.unlink()
        for name, content in additional.items():
            (self.folder / f"{name}.csv").write_text(content)

    def start_set_up(self) -> subprocess.Popen[str]:
        """Start `python -m db.initialize`."""
        return self._start("db.initialize")

    def _start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def set_up(self) -> str:
        """Run a set-up that must succeed, in this process, and return its output.

        A process of its own takes twice as long.
        """
        output, errors = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(output),
            redirect_stderr(errors),
        ):
            for name, value in self.environment.items():
                patch.setenv(name, value)
            code = initialize.main()
        assert code == 0, errors.getvalue()
        return output.getvalue()

    def run(self, *command: str) -> str:
        """Run `python -m COMMAND`, which must succeed, and return its output."""
        child = self._start(*command)
        output, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        return output

    def rows(self, query: str, role: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement in a transaction of its own and return its rows."""
        with (
            closing(connect(self.environment, role)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


def use_owner(patch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Let libpq connect as the owner of a database of a test."""
    for name, value in environment.items():
        patch.setenv(name, value)
