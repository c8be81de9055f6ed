"""`python -m bench.data`.

Fill a database with much data, time what is asked of it, and write the table into
doc/performance.md.
"""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg2
import psycopg2.extensions

from bench.fixtures import bulk_data
from bench.fixtures.bulk_data import Size
from bench.fixtures.models import ROOT
from bench.harness import database
from bench.reporting import machine, report
from bench.reporting.sampling import say
from db.initialize import set_up
from db.settings import from_environment
from inference.database import experiments
from inference.database import predictions as history
from inference.database.predictions import Filter, page_query
from local.account import AccountMissingError
from local.postgres import Postgres, StartError

DOCUMENT = ROOT / "doc" / "performance.md"
SQL_PAGE = ROOT / "doc" / "sql.md"
MARKS = ("<!-- bench-data: begin -->", "<!-- bench-data: end -->")
ROUNDS = 9
PAGE = 50
GOAL_MILLISECONDS, IMPORT_GOAL_SECONDS = 50, 30
LARGE = re.compile("predictions|prediction_events(_.*)?")


@dataclass(frozen=True)
class Query:
    """A statement, what it is for, and its arguments. Without a goal, nobody waits for it."""

    what: str
    statement: str
    arguments: Mapping[str, Any] | list[Any] | None = None
    has_goal: bool = True


@dataclass(frozen=True)
class Timing:
    """What a statement took, and the large tables that it read from one end to the other."""

    query: Query
    milliseconds: float
    scanned: frozenset[str]

    def row(self) -> list[str]:
        """Return the row of the table."""
        met = self.milliseconds <= GOAL_MILLISECONDS and not self.scanned
        goal = [f"{GOAL_MILLISECONDS}", report.MET[met]] if self.query.has_goal else ["-", "-"]
        return [
            self.query.what,
            f"{self.milliseconds:.1f}",
            *goal,
            ", ".join(sorted(self.scanned)) or "none",
        ]


def measure() -> str:
    """Fill a database, ask it everything, and return the text of the tables."""
    load = machine.load_average()
    with database.empty() as server:
        first, second, import_load = _import(server.settings.directory)
        say("Generating predictions and events")
        size, started = Size(), time.perf_counter()
        bulk_data.fill(size)
        generated = time.perf_counter() - started
        say(f"Generated in {generated:.0f} s; asking")
        timings = list(_timings(server))
        dropped, drop_milliseconds = _drop_oldest_month()
        bytes_ = _bytes()
    queries = report.table(
        ["what", "ms", "goal", "met", "reads all of"], [timing.row() for timing in timings]
    )
    works = report.table(
        ["what", "measured", "goal", "met"],
        [
            [
                f"first start: {bulk_data.EXPERIMENTS:,} experiments of {bulk_data.POINTS:,} points imported",
                f"{first:.1f} s (load average {import_load})", f"{IMPORT_GOAL_SECONDS} s", report.MET[first <= IMPORT_GOAL_SECONDS],
            ],
            ["next start, the file unchanged", f"{second:.2f} s", "-", "-"],
            [
                f"drop_events_before: a month of {dropped:,} events", f"{drop_milliseconds:.0f} ms", f"{GOAL_MILLISECONDS} ms",
                report.MET[drop_milliseconds <= GOAL_MILLISECONDS],
            ],
        ],
    )  # fmt: skip
    return f"""
Measured on {datetime.now(UTC):%Y-%m-%d} on {machine.description().partition(";")[0]}, Postgres with the settings of `make up`;
load average {load} before it. {bulk_data.EXPERIMENTS:,} experiments, {size.versions} versions of models, {size.images:,} images,
{size.predictions:,} predictions, {size.labels:,} labels, {size.events:,} events of {size.days} days; {bytes_ / 1e9:.1f} GB
with indexes. Planning and execution together, the median of {ROUNDS} after one that is not counted.

{queries}

{works}
"""


def _import(folder: Path) -> tuple[float, float, str]:
    """Set the database up with a large CSV, twice.

    Return the seconds of both, and the load average after the first.
    """
    file = folder / "experiments.csv"
    bulk_data.write_csv(file)
    os.environ.update({"DATA_CSV": str(file), "DATA_DIR": str(folder / "none")})
    seconds, loads = [], []
    for _ in range(2):
        say(f"Setting up with {file.stat().st_size / 1e6:.0f} MB of CSV")
        started = time.perf_counter()
        set_up(from_environment(os.environ))
        seconds.append(time.perf_counter() - started)
        loads.append(machine.load_average())
        say(f"  {seconds[-1]:.1f} s, load average {loads[-1]}")
    file.unlink()
    return seconds[0], seconds[1], loads[0]


def _timings(server: Postgres) -> Iterator[Timing]:
    """Ask everything as the one who only reads."""
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
                    frozenset(name for plan in plans for name in scanned(plan["Plan"])),
                )
                say("  " + " | ".join(timing.row()))
                yield timing


def queries(cursor: psycopg2.extensions.cursor) -> Iterator[Query]:
    """Yield what is asked: by the API, and by people who follow doc/sql.md."""
    experiment, day = bulk_data.experiment_name(7), datetime.now(UTC) - timedelta(days=30)
    week = (day - timedelta(days=7), day)
    filters = {
        "no filter": Filter(),
        "no filter, page in the middle": Filter(until=day),
        "experiment": Filter(experiment),
        "experiment and version": Filter(experiment, 2),
        "class": Filter(label="4"),
        "time (a week)": Filter(since=week[0], until=week[1]),
        "experiment, class, time": Filter(experiment, None, "4", *week),
        "disagreement": Filter(disagreement=True),
        "no disagreement": Filter(disagreement=False),
        "disagreement, class": Filter(label="4", disagreement=True),
        "experiment, disagreement": Filter(experiment, disagreement=True),
        "corrected": Filter(corrected=True),
        "not corrected": Filter(corrected=False),
        "wrong": Filter(wrong=True),
        "right": Filter(wrong=False),
        "experiment, wrong": Filter(experiment, wrong=True),
        "experiment, class, wrong": Filter(experiment, label="4", wrong=True),
        "experiment, class, corrected": Filter(experiment, label="4", corrected=True),
        "experiment, class, corrected, disagreement": Filter(
            experiment, label="4", corrected=True, disagreement=True
        ),
    }
    for name, wanted in filters.items():
        before = (day, "00000000-0000-0000-0000-000000000000") if "page" in name else None
        yield Query(
            f"GET /predictions: {name}",
            *page_query(Filter() if before else wanted, PAGE + 1, before),
        )
    cursor.execute("SELECT id::text FROM predictions ORDER BY events DESC LIMIT 1")
    yield Query(
        "GET /predictions/{id}, that with the most events",
        history.SELECT_ONE,
        [*cursor.fetchall()[0]],
    )
    yield Query("GET /experiments, all of them", experiments.SELECT_ALL)
    yield Query("GET /experiments/{name}", experiments.SELECT_ONE, [experiment])
    page = documented("best five experiments of a task").replace("LIMIT 5", f"LIMIT {PAGE}")
    yield Query(f"leaderboard: the best {PAGE} by test accuracy", page)
    curve = re.sub(
        "experiment_name = '[^']*'",
        f"experiment_name = '{experiment}'",
        documented("one loss curve"),
    )
    yield Query("loss_curves: one curve", curve)
    yield Query("prediction_log: the latest", documented("latest predictions"))
    yield Query("live_accuracy", documented("accuracy on labeled images"))
    yield Query(
        "confusion: which learning rates misread 4 as 9?",
        documented("learning rates that misread 4 as 9"),
    )
    yield Query("disagreements: the newest 20", documented("latest disagreements"))
    yield Query("traffic_per_minute of the last hour", documented("answers of the last hour"))
    yield Query(
        "prediction_events of a day: who asks?",
        documented("requests of the last day by client"),
        has_goal=False,
    )


def documented(title: str) -> str:
    """Return the query of doc/sql.md that follows this comment."""
    _, found, rest = SQL_PAGE.read_text().partition(f"-- {title}\n")
    if not found:
        raise LookupError(f"{SQL_PAGE.name} has no query {title!r}")
    return rest.partition(";")[0]


def explain(cursor: psycopg2.extensions.cursor, query: Query) -> dict[str, Any]:
    """Run a query and return how that went, its plan included."""
    cursor.execute(f"EXPLAIN (ANALYZE, SERIALIZE, FORMAT JSON) {query.statement}", query.arguments)
    plan: dict[str, Any] = cursor.fetchall()[0][0][0]
    return plan


def scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the large tables of a plan that are read from one end to the other.

    A month without events yet costs nothing.
    """
    is_whole = (
        plan["Node Type"] == "Seq Scan"
        and plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) > 0
    )
    if is_whole and LARGE.fullmatch(plan["Relation Name"]):
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)


def _drop_oldest_month() -> tuple[int, float]:
    """Drop the events of the oldest month; return how many they were, and the milliseconds it took."""
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('month', min(at) AT TIME ZONE 'UTC') + interval '1 month' FROM prediction_events"
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


def _bytes() -> int:
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size: int = cursor.fetchall()[0][0]
        return size


def main() -> int:
    """Measure, write and show the tables; return the exit code."""
    try:
        text = measure()
        print(text)
        report.write(DOCUMENT, text, MARKS)
    except (
        StartError,
        AccountMissingError,
        LookupError,
        report.MissingSectionError,
        psycopg2.Error,
    ) as failure:
        say(f"bench: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; nothing was written")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
