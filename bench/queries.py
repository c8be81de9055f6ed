"""Query benchmark: `python -m bench.queries` fills a large database and measures its queries.

It writes the results into doc/performance.md.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psycopg2
import psycopg2.extensions

from bench import command
from bench.fixtures import bulk_data
from bench.fixtures.bulk_data import Size
from bench.harness import database
from bench.query_workload import Query, queries
from bench.reporting import machine, report
from bench.reporting.sampling import print_progress
from db.initialize import set_up
from db.settings import from_environment
from local.account import AccountMissingError
from local.postgres import Postgres, StartError

MARKERS = ("<!-- bench-data: begin -->", "<!-- bench-data: end -->")
ROUNDS = 9
GOAL_MILLISECONDS, IMPORT_GOAL_SECONDS = 50, 30
LARGE = re.compile("predictions|prediction_events(_.*)?")


@dataclass(frozen=True)
class Timing:
    """Duration of a query, and the large tables that it scanned completely."""

    query: Query
    milliseconds: float
    scanned_tables: frozenset[str]

    def row(self) -> list[str]:
        """Return the table row."""
        met = self.milliseconds <= GOAL_MILLISECONDS and not self.scanned_tables
        goal = [f"{GOAL_MILLISECONDS}", report.MET_TEXT[met]] if self.query.has_goal else ["-", "-"]
        return [
            self.query.name,
            f"{self.milliseconds:.1f}",
            *goal,
            ", ".join(sorted(self.scanned_tables)) or "none",
        ]


def measure() -> str:
    """Fill a database, run all queries, and return the text of the report."""
    load_average = machine.load_average()
    with database.start_empty() as server:
        first, second, import_load = _measure_imports(server.settings.directory)
        print_progress("Generating predictions and events")
        size, started = Size(), time.perf_counter()
        bulk_data.fill(size)
        print_progress(f"Generated in {time.perf_counter() - started:.0f} s. Running the queries")
        timings = list(_measure_queries(server))
        dropped, drop_milliseconds = _drop_oldest_month()
        size_gigabytes = _database_bytes() / 1e9
    operations = [
        [
            (
                f"first start: import of {bulk_data.EXPERIMENTS:,} experiments "
                f"with {bulk_data.POINTS:,} points each"
            ),
            f"{first:.1f} s (load average {import_load})",
            f"{IMPORT_GOAL_SECONDS} s",
            report.MET_TEXT[first <= IMPORT_GOAL_SECONDS],
        ],
        ["next start, unchanged file", f"{second:.2f} s", "-", "-"],
        [
            f"drop_events_before: one month of {dropped:,} events",
            f"{drop_milliseconds:.0f} ms",
            f"{GOAL_MILLISECONDS} ms",
            report.MET_TEXT[drop_milliseconds <= GOAL_MILLISECONDS],
        ],
    ]
    query_table = report.markdown_table(
        ["query", "ms", "goal", "met", "full scans"], [timing.row() for timing in timings]
    )
    operation_table = report.markdown_table(["operation", "measured", "goal", "met"], operations)
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} on {machine.description().partition(";")[0]}, with the
Postgres settings of `make up`. Load average before the run: {load_average}. The database holds
{bulk_data.EXPERIMENTS:,} experiments, {size.versions} model versions, {size.images:,} images,
{size.predictions:,} predictions, {size.labels:,} labels and {size.events:,} events of {size.days}
days: {size_gigabytes:.1f} GB with indexes. Times are planning plus execution, the median of
{ROUNDS} runs after one warm-up run.

{query_table}

{operation_table}
"""


def _measure_imports(folder: Path) -> tuple[float, float, str]:
    """Set up the database with a large CSV, twice.

    Returns the seconds of both, and the load average after the first.
    """
    file = folder / "experiments.csv"
    bulk_data.write_csv(file)
    os.environ.update({"DATA_CSV": str(file), "DATA_DIR": str(folder / "none")})
    seconds, loads = [], []
    for _ in range(2):
        print_progress(f"Importing {file.stat().st_size / 1e6:.0f} MB of CSV")
        started = time.perf_counter()
        set_up(from_environment(os.environ))
        seconds.append(time.perf_counter() - started)
        loads.append(machine.load_average())
        print_progress(f"  {seconds[-1]:.1f} s, load average {loads[-1]}")
    file.unlink()
    return seconds[0], seconds[1], loads[0]


def _measure_queries(server: Postgres) -> Iterator[Timing]:
    """Run all queries as the read-only role."""
    reader = server.settings.libpq_variables("mlops_read", server.settings.read_password)
    with closing(
        psycopg2.connect(user=reader["PGUSER"], password=reader["PGPASSWORD"])
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for query in queries(cursor):
                plans = [explain(cursor, query) for _ in range(ROUNDS + 1)]
                milliseconds = median(
                    plan["Planning Time"] + plan["Execution Time"] for plan in plans[1:]
                )
                timing = Timing(
                    query,
                    milliseconds,
                    frozenset(name for plan in plans for name in scanned_tables(plan["Plan"])),
                )
                print_progress("  " + " | ".join(timing.row()))
                yield timing


def explain(cursor: psycopg2.extensions.cursor, query: Query) -> dict[str, Any]:
    """Run a query and return its measured plan."""
    cursor.execute(f"EXPLAIN (ANALYZE, SERIALIZE, FORMAT JSON) {query.statement}", query.arguments)
    plan: dict[str, Any] = cursor.fetchall()[0][0][0]
    return plan


def scanned_tables(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the large tables that a plan scans completely.

    Empty partitions do not count.
    """
    is_whole = (
        plan["Node Type"] == "Seq Scan"
        and plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) > 0
    )
    if is_whole and LARGE.fullmatch(plan["Relation Name"]):
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned_tables(part)


def _drop_oldest_month() -> tuple[int, float]:
    """Drop the events of the oldest month. Returns their number and the milliseconds."""
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('month', min(at) AT TIME ZONE 'UTC') + interval '1 month'"
            " FROM prediction_events"
        )
        [moment] = cursor.fetchall()[0]
        cursor.execute(
            "SELECT count(*) FROM prediction_events WHERE at < %s AT TIME ZONE 'UTC'", [moment]
        )
        [count] = cursor.fetchall()[0]
        connection.commit()
        started = time.perf_counter()
        cursor.execute("SELECT drop_events_before(%s AT TIME ZONE 'UTC')", [moment])
        connection.commit()
        return count, (time.perf_counter() - started) * 1e3


def _database_bytes() -> int:
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size: int = cursor.fetchall()[0][0]
        return size


def main() -> int:
    """Measure, write and print the tables. Returns the exit code."""
    errors = (StartError, AccountMissingError, LookupError, psycopg2.Error)
    return command.run(measure, errors, MARKERS)


if __name__ == "__main__":
    sys.exit(main())
