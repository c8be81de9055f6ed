"""Cluster command: `python -m pipeline.scale scheduler` or `worker` starts a part of a cluster."""

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline.scale.respawn import respawn

SCHEDULER_URL = "tcp://127.0.0.1:8786"


def main(arguments: Sequence[str]) -> int:
    """Run a scheduler or workers until a signal ends them, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.scale", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    scheduler = commands.add_parser("scheduler", help="run the scheduler")
    scheduler.add_argument("--host", default="127.0.0.1", help="address to listen on")
    scheduler.add_argument("--port", type=int, default=8786)
    scheduler.add_argument("--protocol", choices=["tcp", "tls"], default="tcp")
    worker = commands.add_parser("worker", help="run worker processes")
    worker.add_argument("url", nargs="?", help="address of the scheduler, by default SCALE_URL")
    worker.add_argument(
        "--host", help="address to listen on, by default the one that reaches the scheduler"
    )
    worker.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    worker.add_argument("--once", action="store_true", help="end when the scheduler is lost")
    options = parser.parse_args(arguments)
    if options.command == "worker" and not options.once:
        return respawn([sys.executable, "-m", "pipeline.scale", *arguments, "--once"])
    # The package distributed takes a second to import, and --help needs none of it.
    from pipeline.scale import dask_cluster  # noqa: PLC0415

    if options.command == "scheduler":
        dask_cluster.run_scheduler(options.host, options.port, options.protocol)
    else:
        url = options.url or os.environ.get("SCALE_URL") or SCHEDULER_URL
        dask_cluster.run_worker(url, options.host, options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
