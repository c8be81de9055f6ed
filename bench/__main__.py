"""Benchmark command: `python -m bench [--full]` measures all goals of the inference service.

It writes the results and plots into doc/performance.md.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from bench import batch_calls, command, model_repository, request_parts, single_image
from bench.batch_calls import UnsupportedOperationError
from bench.fixtures import images, models
from bench.fixtures.models import ROOT
from bench.harness import database, wrk
from bench.harness.server import ServerStartError
from bench.model_repository import FEW_MODELS, MANY_MODELS, RepositoryResult
from bench.protocols.measure import CONNECTIONS, SERVICE_FORMS, WrongAnswerError
from bench.protocols.measure import measure as measure_protocols
from bench.protocols.tables import goals as protocol_goals
from bench.protocols.tables import throughput_table
from bench.reporting import goals, machine, plots, report, tables
from bench.reporting.sampling import FULL, SHORT, Sampling, print_progress
from bench.single_image import SingleResult

CONNECTIONS_PLOT = ROOT / "doc" / "performance-connections.svg"
MODELS_PLOT = ROOT / "doc" / "performance-models.svg"
IMAGES = 1000


def measure(sampling: Sampling) -> str:
    """Measure all goals and return the text of the report. Also writes the plots."""
    started, load_average = time.monotonic(), machine.load_average()
    print_progress("Preparing images and models")
    pngs = images.pngs(IMAGES)
    lenet, deep_cnn, cnn = (
        models.shipped_model(models.LENET),
        models.shipped_model(models.DEEP_CNN),
        models.cnn(),
    )
    directories = model_repository.create_directories()
    print_progress("Runtimes alone")
    compared = request_parts.compare_runtimes(sampling, (lenet, deep_cnn, cnn), pngs)
    profile = request_parts.measure(lenet, pngs)
    print_progress("POST /inference")
    cnn_calls = compared[cnn.name][single_image.CONNECTIONS]
    cnn_runtime = min(cnn_calls, key=lambda name: median(cnn_calls[name]))
    single = single_image.measure(
        sampling, lenet, cnn, cnn.onnx if cnn_runtime == "ONNX Runtime" else cnn.litert, pngs
    )
    print_progress("Starts and memory")
    repository = model_repository.measure_starts(sampling, directories, pngs)
    print_progress("POST /predictions")
    try:
        batches, reason = batch_calls.measure(sampling, directories[FEW_MODELS], lenet, pngs), ""
    except UnsupportedOperationError as error:
        batches, reason = None, str(error)
    print_progress("Growth")
    model_repository.measure_growth(sampling, directories, pngs, repository)
    print_progress("Changes under load")
    changes = model_repository.measure_changes(sampling, pngs)
    print_progress("Serving protocols")
    protocols = measure_protocols(sampling, lenet.directory, pngs, SERVICE_FORMS)
    _plot(sampling, single, repository)
    rows = [
        *goals.single_image_goals(single, cnn_runtime),
        *goals.batch_goals(batches, reason),
        *goals.repository_goals(repository),
        *goals.change_goals(changes),
        *protocol_goals(protocols),
    ]
    minutes = (time.monotonic() - started) / 60
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} in {minutes:.1f} minutes: medians of
{sampling.description}, with {images.source()}. Load average before the run: {load_average}.
{machine.description()}.

### Goals

{report.goals_table(rows)}

### Servers

{tables.servers_table(single)}

### Serving protocols, 1 worker, {CONNECTIONS} connections

{throughput_table(protocols)}

### Parts of one request

{tables.parts_table(profile, single)}

### LiteRT and ONNX Runtime alone, on one thread

{tables.runtimes_table(compared)}
"""


def _plot(sampling: Sampling, single: SingleResult, repository: RepositoryResult) -> None:
    rates = {
        name: {count: single.throughput(name, count) for count in single.loads[name]}
        for name in (*single_image.PLOTTED, *single_image.PLOTTED_REFERENCES)
    }
    plots.write_lines(
        CONNECTIONS_PLOT, rates, "POST /inference, LeNet-5, one worker", "connections", "requests/s"
    )
    milliseconds = {
        "single calls in sequence": {
            n: [n * seconds * 1e3 for seconds in single.p50("service")]
            for n in sampling.models_per_call
        },
        "LiteRT alone": {
            n: [n * seconds * 1e3 for seconds in single.litert_call_seconds]
            for n in sampling.models_per_call
        },
    }
    if repository.call_seconds:
        milliseconds["one call"] = {
            n: [seconds * 1e3 for seconds in samples]
            for n, samples in repository.call_seconds.items()
        }
    title = f"One image through many LeNets, {MANY_MODELS:,} resident, one connection"
    plots.write_lines(MODELS_PLOT, milliseconds, title, "models", "latency, ms")


def main(arguments: Sequence[str]) -> int:
    """Measure, write and print the tables. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="more and longer rounds, more points in the plots"
    )
    if sys.platform != "linux":
        print_progress(
            "bench: The measurements need Linux. "
            "Use a container or a virtual machine on other systems."
        )
        return 1
    sampling = FULL if parser.parse_args(arguments).full else SHORT

    def measure_with_database() -> str:
        wrk.find()
        with database.start_migrated():
            return measure(sampling)

    errors = (
        ServerStartError,
        WrongAnswerError,
        wrk.LoadGeneratorMissingError,
        wrk.LoadGenerationError,
    )
    return command.run(measure_with_database, errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
