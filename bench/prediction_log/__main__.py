"""Benchmark of the prediction log: `python -m bench.prediction_log` updates doc/scaling.md.

CPU time is measured, not duration, so that other work on the machine disturbs little.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

import psycopg2

from bench import command
from bench.fixtures.images import pngs
from bench.fixtures.models import ROOT
from bench.harness import database
from bench.harness.server import ServerStartError
from bench.prediction_log import endings, exporting, shipping
from bench.prediction_log.endings import Ending
from bench.prediction_log.exporting import Exported
from bench.prediction_log.requests import RequestError
from bench.prediction_log.shipping import Cost, NotShippedError, Round
from bench.reporting import machine
from bench.reporting.report import format_megabytes, format_microseconds, markdown_table
from bench.reporting.sampling import print_progress
from local.account import AccountMissingError
from local.postgres import StartError

DOCUMENT = ROOT / "doc" / "scaling.md"
MARKERS = ("<!-- bench-log: begin -->", "<!-- bench-log: end -->")
ROUNDS = 3
ENDING_IMAGES = int(2 * endings.RATE * endings.SECONDS)
KINDS: dict[str, Callable[[Round], Cost]] = {
    "new image": lambda measured: measured.new,
    f"repeated image, one of {shipping.MANY_IMAGES:,}": lambda measured: measured.one_of_many,
    f"repeated image, one of {shipping.FEW_IMAGES:,}": lambda measured: measured.one_of_few,
    f"new image in calls of {shipping.IMAGES_PER_CALL} images and all models": (
        lambda measured: measured.in_call
    ),
}


def measure() -> str:
    """Measure everything, and return the text of the report."""
    load_average = machine.load_average()
    print_progress("Drawing images")
    images = pngs(ROUNDS * shipping.IMAGES_PER_ROUND + 2 * ENDING_IMAGES)
    with database.start_migrated():
        rounds = []
        for number in range(ROUNDS):
            print_progress(f"Shipping, round {number + 1} of {ROUNDS}")
            first = number * shipping.IMAGES_PER_ROUND
            rounds.append(shipping.measure_round(images[first:][: shipping.IMAGES_PER_ROUND]))
        sizes = shipping.table_bytes()
        print_progress("Ending a service under load")
        stopped = endings.measure(images[-ENDING_IMAGES:], kills=False)
        killed = endings.measure(images[:-ENDING_IMAGES][-ENDING_IMAGES:], kills=True)
    exported = exporting.measure()
    return f"""
Measured by `make bench-log` on {datetime.now(UTC):%Y-%m-%d} on {machine.hardware()}, with the
Postgres of `make up`. Load average before the run: {load_average}. CPU times are medians of
{ROUNDS} rounds.

{_cost_table(rounds)}

{_result_table(rounds, sizes, (stopped, killed), exported)}
"""


def _cost_table(rounds: Sequence[Round]) -> str:
    """Return what one prediction costs, with its event, by the kind of request."""
    rows = []
    for kind, select in KINDS.items():
        costs = [select(measured) for measured in rounds]
        postgres = median(cost.postgres_seconds for cost in costs)
        rows.append(
            [
                kind,
                f"{median(cost.journal_bytes for cost in costs):,.0f}",
                _microseconds(cost.postgres_seconds for cost in costs),
                _microseconds(cost.shipper_seconds for cost in costs),
                f"{round(1 / postgres, -2):,.0f}",
            ]
        )
    header = [
        "prediction of a",
        "journal, bytes",
        "CPU of Postgres, µs",
        "CPU of the shipper, µs",
        "ceiling per core of Postgres, 1/s",
    ]
    return markdown_table(header, rows)


def _result_table(
    rounds: Sequence[Round],
    sizes: Mapping[str, float],
    ends: tuple[Ending, Ending],
    exported: Exported,
) -> str:
    stopped, killed = ends
    tables = ", ".join(f"`{table}` {size:,.0f}" for table, size in sizes.items())
    relations = ", ".join(f"{name} {size:.0f}" for name, size in exported.row_bytes.items())
    with_original = median(measured.with_original_bytes for measured in rounds)
    cpu = (exported.export_seconds / exported.rows, exported.postgres_seconds / exported.rows)
    rows = [
        ["journal, bytes of a new image with its original", f"{with_original:,.0f}"],
        ["Postgres, bytes of a row with its indexes", tables],
        [
            f"journal that ends with the service, {endings.RATE:.0f} requests/s: SIGTERM",
            f"{_ending(stopped)}, ended in {stopped.stop_seconds:.1f} s",
        ],
        ["the same: SIGKILL", _ending(killed)],
        [
            f"export of {exported.rows:,} rows, CPU a row",
            f"{cpu[0] * 1e6:.1f} µs, and {cpu[1] * 1e6:.1f} µs of Postgres",
        ],
        ["its highest memory", f"{format_megabytes(exported.memory_bytes)} MB"],
        ["its bytes a row", relations],
    ]
    return markdown_table(["what", "result"], rows)


def _ending(ending: Ending) -> str:
    return f"{ending.answered:,} answered, {ending.lost:,} not in Postgres"


def _microseconds(seconds: Iterable[float]) -> str:
    """Return the median and the range."""
    values = sorted(seconds)
    low, middle, high = (
        format_microseconds(value) for value in (values[0], median(values), values[-1])
    )
    return f"{middle} ({low} to {high})"


def main() -> int:
    """Measure, write and print the tables. Returns the exit code."""
    errors = (
        StartError,
        AccountMissingError,
        ServerStartError,
        RequestError,
        NotShippedError,
        subprocess.CalledProcessError,
        psycopg2.Error,
    )
    return command.run(measure, errors, MARKERS, DOCUMENT)


if __name__ == "__main__":
    sys.exit(main())
