"""Commands of the learning loop, `python -m pipeline COMMAND`.

worker     execute runs until Ctrl-C; also on another machine
retrain    start a run of a task
runs       list the latest runs
rollback   undo the last move of a task's champion
load       upload a file of labeled images
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import commands
from pipeline.api_client import Api, ApiError


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    options = _parse(arguments)
    if options.command == "worker":
        # Not on the way to the other commands, which answer at once.
        from pipeline.worker.__main__ import main as work  # noqa: PLC0415

        return work()
    if options.command == "load":
        from pipeline.data.load_command import main as load  # noqa: PLC0415

        return load(options.file, options.task)
    try:
        api = Api(os.environ)
        if options.command == "retrain":
            commands.retrain(api, options.task, options.experiment, options.seeds, options.reason)
        elif options.command == "rollback":
            commands.rollback(api, options.task, options.reason)
        else:
            commands.runs(api, options.limit)
    except ApiError as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parsers = parser.add_subparsers(dest="command", required=True)
    parsers.add_parser("worker")
    retrain = parsers.add_parser("retrain")
    retrain.add_argument("--experiment", help="by default that of the champion")
    retrain.add_argument("--seeds", type=int, help="number of models; validation chooses one")
    rollback = parsers.add_parser("rollback")
    load = parsers.add_parser("load")
    load.add_argument("file", type=Path, help="zip, CSV, npz or Parquet")
    for command in (retrain, rollback, load):
        command.add_argument("--task", default="mnist")
    for command in (retrain, rollback):
        command.add_argument("--reason")
    runs = parsers.add_parser("runs")
    runs.add_argument("--limit", type=int, default=20)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
