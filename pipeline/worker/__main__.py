"""Process of a worker, `python -m pipeline.worker`."""

import asyncio
import os
import sys
from collections.abc import MutableMapping, Sequence

from pipeline.settings import from_environment
from pipeline.worker.runner import COMMAND
from pipeline.worker.service import Service
from servicekit import json_logging
from servicekit.settings import secret

DEFAULT_PASSWORD = "pass123"  # noqa: S105  # as in db/settings.py
PASSWORDS = ("PGPASSWORD", "MLOPS_PIPELINE_PASSWORD", "MLOPS_APP_PASSWORD")


def main(command: Sequence[str] = COMMAND) -> int:
    """Work until a signal, and return the exit code. `command` executes a run."""
    json_logging.configure()
    try:
        _complete(os.environ)
        service = Service(from_environment(), command)
    except ValueError as error:
        print(f"Invalid setting: {error}", file=sys.stderr)
        return 1
    asyncio.run(service.run())
    return 0


def _complete(environ: MutableMapping[str, str]) -> None:
    """Set libpq's variables where they say nothing: those of the stack on this machine.

    Raises ValueError for a password file that cannot be read.
    """
    passwords = (secret(environ, name) for name in PASSWORDS)
    # libpq does not read PGPASSWORD_FILE.
    environ["PGPASSWORD"] = next(filter(None, passwords), DEFAULT_PASSWORD)
    environ.setdefault("PGHOST", "localhost")
    environ.setdefault("PGPORT", environ.get("DB_PORT") or "5432")
    environ.setdefault("PGUSER", "mlops_pipeline")
    environ.setdefault("PGDATABASE", "mlopsdb")


if __name__ == "__main__":
    sys.exit(main())
