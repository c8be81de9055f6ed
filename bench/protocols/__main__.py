"""Benchmark of the serving protocols: `python -m bench.protocols [--full]`.

It compares the forms of requests with each other, and with MLServer and KServe on the same model,
and writes the tables into doc/performance.md.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions

from bench import command
from bench.fixtures import images, models
from bench.harness import database, wrk
from bench.harness.server import ServerStartError
from bench.protocols import measure, tables
from bench.protocols.measure import WrongAnswerError
from bench.reporting import machine, report
from bench.reporting.sampling import FULL, SHORT, Sampling
from supply_chain.tools import ROOT

MARKERS = ("<!-- bench-protocols: begin -->", "<!-- bench-protocols: end -->")
IMAGES = 1000
PEERS = ("mlserver", "kserve")


def run(sampling: Sampling) -> str:
    """Measure all servers and return the text of the report."""
    started, load_average = time.monotonic(), machine.load_average()
    lenet = ROOT / "models" / models.LENET
    result = measure.measure(sampling, lenet, images.pngs(IMAGES), measure.ALL_FORMS)
    minutes = (time.monotonic() - started) / 60
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} in {minutes:.1f} minutes: medians of
{sampling.description} with {measure.CONNECTIONS} connections, LeNet-5, one worker, the cache off,
with {images.source()}. Load average before the run: {load_average}.
{machine.hardware()}; {_peer_versions()}.

{report.goals_table(tables.goals(result))}

{tables.throughput_table(result)}
"""


def _peer_versions() -> str:
    versions = []
    for name in PEERS:
        [packages] = (ROOT / ".local" / name / "lib").glob("python*/site-packages")
        found = distributions(name=name, path=[str(packages)])
        versions += [f"{name} {one.version}" for one in found]
    return ", ".join(versions)


def main(arguments: Sequence[str]) -> int:
    """Measure, write and print the tables. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.protocols", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more and longer rounds")
    sampling = FULL if parser.parse_args(arguments).full else SHORT

    def measure_with_database() -> str:
        wrk.find()
        with database.start_migrated():
            return run(sampling)

    errors = (
        ServerStartError,
        WrongAnswerError,
        wrk.LoadGeneratorMissingError,
        wrk.LoadGenerationError,
        subprocess.CalledProcessError,  # of the installation of a peer
    )
    return command.run(measure_with_database, errors, MARKERS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
