"""`python -m bench [--full]`: measure every goal in one run, and write tables and plots into doc/."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from bench import directory, parts, single, together
from bench.directory import FEW, MANY, DirectoryResult
from bench.fixtures import images, models
from bench.fixtures.models import ROOT
from bench.harness import database, wrk
from bench.harness.service import ServerStartError
from bench.reporting import goals, machine, plots, report
from bench.reporting.sampling import FULL, SHORT, Effort, say
from bench.single import SingleResult
from bench.together import UnknownOperationError

DOCUMENT = ROOT / "doc" / "performance.md"
CONNECTIONS_PLOT = ROOT / "doc" / "performance-connections.svg"
MODELS_PLOT = ROOT / "doc" / "performance-models.svg"
IMAGES = 1000


def measure(effort: Effort) -> str:
    """Measure everything and return the text of the tables; writes the plots."""
    started, before = time.monotonic(), machine.load_average()
    say("Preparing images and models")
    pngs = images.pngs(IMAGES)
    lenet, deep_cnn, cnn = (
        models.shipped(models.LENET),
        models.shipped(models.DEEP_CNN),
        models.cnn(),
    )
    directories = directory.directories()
    say("Runtimes alone")
    compared = parts.compare_runtimes(effort, (lenet, deep_cnn, cnn), pngs)
    profile = parts.measure(lenet, pngs)
    say("POST /inference")
    cnn_calls = compared[cnn.name][single.CONNECTIONS]
    cnn_runtime = min(cnn_calls, key=lambda name: median(cnn_calls[name]))
    one = single.measure(
        effort, lenet, cnn, cnn.onnx if cnn_runtime == "ONNX Runtime" else cnn.litert, pngs
    )
    say("Starts and memory")
    start = directory.measure_starts(effort, directories, pngs)
    say("POST /predictions")
    try:
        many, reason = together.measure(effort, directories[FEW], lenet, pngs), ""
    except UnknownOperationError as error:
        many, reason = None, str(error)
    say("Growth")
    directory.measure_growth(effort, directories, pngs, start)
    say("Changes under load")
    changes = directory.measure_changes(effort, pngs)
    _plot(effort, one, start)
    rows = [
        *goals.of_single(one, cnn_runtime),
        *goals.of_together(many, reason),
        *goals.of_directory(start),
        *goals.of_changes(changes),
    ]
    minutes = (time.monotonic() - started) / 60
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} in {minutes:.1f} minutes: medians of {effort.name} each, with {images.source()};
load average {before} before it.
{machine.description()}.

### Goals

{report.goals_table(rows)}

### Servers

{goals.servers_table(one)}

### One request, part by part

{goals.parts_table(profile, one)}

### LiteRT and ONNX Runtime alone, on one thread

{goals.runtimes_table(compared)}
"""


def _plot(effort: Effort, one: SingleResult, start: DirectoryResult) -> None:
    rates = {
        name: {count: one.throughput(name, count) for count in one.loads[name]}
        for name in (*single.PLOTTED, *single.PLOTTED_WITH_FEWER)
    }
    plots.write_lines(
        CONNECTIONS_PLOT, rates, "POST /inference, LeNet-5, one worker", "connections", "requests/s"
    )
    milliseconds = {
        "single calls, one after the other": {
            n: [n * seconds * 1e3 for seconds in one.p50("ours")] for n in effort.models_in_one_call
        },
        "LiteRT alone": {
            n: [n * seconds * 1e3 for seconds in one.litert_call_seconds]
            for n in effort.models_in_one_call
        },
    }
    if start.call_seconds:
        milliseconds["one call"] = {
            n: [seconds * 1e3 for seconds in samples] for n, samples in start.call_seconds.items()
        }
    title = f"One image through many LeNets, {MANY:,} resident, one connection"
    plots.write_lines(MODELS_PLOT, milliseconds, title, "models", "ms until the answer")


def main(arguments: Sequence[str]) -> int:
    """Measure, write and show the tables; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="longer and more rounds, more points in the plots"
    )
    if sys.platform != "linux":
        say(
            "bench: what a process uses is read as Linux tells it; elsewhere, run it in a container or a virtual machine"
        )
        return 1
    effort = FULL if parser.parse_args(arguments).full else SHORT
    try:
        wrk.find()
        with database.running():
            text = measure(effort)
        print(text)
        report.write(DOCUMENT, text)
    except (
        ServerStartError,
        wrk.LoadGeneratorMissingError,
        wrk.LoadGenerationError,
        report.MissingSectionError,
    ) as failure:
        say(f"bench: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; nothing was written")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
