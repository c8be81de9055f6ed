"""Dumps of databases: pg_dump and pg_restore of the embedded Postgres, and schemas to compare."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.postgres import binary_folder

IGNORED = re.compile(r"--|\\(un)?restrict ")  # comments, and psql's commands with a random key


def run_tool(name: str, environment: Mapping[str, str], *options: str) -> str:
    """Run a client program of Postgres and return its output. Raises CalledProcessError."""
    tool = str(binary_folder() / name)
    variables = {**os.environ, **environment}
    done = subprocess.run(
        [tool, *options], env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout + done.stderr


def dump(environment: Mapping[str, str], file: Path) -> None:
    """Write a database to a file in pg_restore's format."""
    run_tool("pg_dump", environment, "--format=custom", f"--file={file}")


def restore(environment: Mapping[str, str], file: Path) -> None:
    """Restore a dump. Raises CalledProcessError if any statement fails."""
    run_tool("pg_restore", environment, f"--dbname={environment['PGDATABASE']}", str(file))


def read_schema(environment: Mapping[str, str]) -> list[str]:
    """Return the statements of a schema, with its comments and privileges.

    Grants come last, sorted, because Postgres keeps the order in which they were made.
    """
    text = run_tool("pg_dump", environment, "--schema-only")
    lines = [line for line in text.splitlines() if line and not IGNORED.match(line)]
    grants = sorted(line for line in lines if line.startswith("GRANT "))
    return [line for line in lines if not line.startswith("GRANT ")] + grants
