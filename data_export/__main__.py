"""Command line: `python -m data_export OUT [--since DAY] [--until DAY] [--pixels]`.

Connects to the Postgres of libpq's variables. `make export` sets them for the stack.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date

from data_export.destination import open_destination
from data_export.errors import ExportError
from data_export.export import Days, Export
from data_export.manifest import ExportedFile
from data_export.relations import relations
from data_export.snapshot import open_snapshot
from servicekit.settings import secret

INTERRUPTED_STATUS = 130  # 128 + SIGINT, as shells report it


def main(arguments: Sequence[str]) -> int:
    """Export and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data_export", description=__doc__)
    parser.add_argument("out", help="directory, s3://bucket/prefix, gs://... or az://...")
    parser.add_argument("--since", type=parse_day, help="first day (UTC), as 2026-11-01")
    parser.add_argument("--until", type=parse_day, help="last day (UTC), included")
    parser.add_argument("--pixels", action="store_true", help="also those of the newest images")
    options = parser.parse_args(arguments)
    days = Days(options.since, options.until)
    if days.since and days.until and days.since > days.until:
        parser.error("--since is after --until")
    try:
        password = secret(os.environ, "PGPASSWORD")
        if password is not None:
            os.environ["PGPASSWORD"] = password
        with open_destination(options.out) as destination, open_snapshot() as snapshot:
            files = Export(snapshot, destination, _print).run(
                relations(pixels=options.pixels), days
            )
            at = snapshot.at
    except (ExportError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The manifest was not changed.", file=sys.stderr)
        return INTERRUPTED_STATUS
    print(
        f"{destination.url}: {len(files)} files, {sum(file.rows for file in files):,} rows,"
        f" {sum(file.bytes for file in files) / 1e6:.1f} MB, as of {at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return 0


def parse_day(text: str) -> date:
    """Return the day of a text such as 2026-11-01. Raises argparse.ArgumentTypeError."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a day. Write it as 2026-11-01."
        ) from error


def _print(file: ExportedFile) -> None:
    note = " (the day is not over)" if file.day_is_over is False else ""
    print(f"  {file.path}: {file.rows:,} rows, {file.bytes / 1e6:.1f} MB{note}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
