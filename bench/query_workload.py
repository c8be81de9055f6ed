"""Query workload: the statements of the API and of doc/sql.md that the query benchmark measures."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2.extensions

from bench.fixtures import bulk_data
from bench.fixtures.models import ROOT
from inference.database import experiments
from inference.database import predictions as history
from inference.database.predictions import Filter, page_query

SQL_PAGE = ROOT / "doc" / "sql.md"
PAGE = 50


@dataclass(frozen=True)
class Query:
    """A named statement with its arguments. Queries for offline analysis have no goal."""

    name: str
    statement: str
    arguments: Mapping[str, Any] | list[Any] | None = None
    has_goal: bool = True


def queries(cursor: psycopg2.extensions.cursor) -> Iterator[Query]:
    """Yield the queries of the API and those of doc/sql.md."""
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
    for name, row_filter in filters.items():
        before = (day, "00000000-0000-0000-0000-000000000000") if "page" in name else None
        yield Query(
            f"GET /predictions: {name}",
            *page_query(Filter() if before else row_filter, PAGE + 1, before),
        )
    cursor.execute("SELECT id::text FROM predictions ORDER BY events DESC LIMIT 1")
    yield Query(
        "GET /predictions/{id}, the one with most events",
        history.SELECT_ONE,
        [*cursor.fetchall()[0]],
    )
    yield Query("GET /experiments, all", experiments.SELECT_ALL)
    yield Query("GET /experiments/{name}", experiments.SELECT_ONE, {"name": experiment})
    page = documented_query("best five experiments of a task").replace("LIMIT 5", f"LIMIT {PAGE}")
    yield Query(f"leaderboard: the best {PAGE} by test accuracy", page)
    curve = re.sub(
        "experiment_name = '[^']*'",
        f"experiment_name = '{experiment}'",
        documented_query("one loss curve"),
    )
    yield Query("loss_curves: one curve", curve)
    yield Query("prediction_log: the latest", documented_query("latest predictions"))
    yield Query("live_accuracy", documented_query("accuracy on labeled images"))
    yield Query(
        "confusion: learning rates that misread 4 as 9",
        documented_query("learning rates that misread 4 as 9"),
    )
    yield Query(
        "disagreements: the newest 20",
        documented_query("latest disagreements"),
    )
    yield Query(
        "traffic_per_minute of the last hour",
        documented_query("answers of the last hour"),
    )
    yield Query(
        "prediction_events of a day, by client",
        documented_query("requests of the last day by client"),
        has_goal=False,
    )


def documented_query(title: str) -> str:
    """Return the query of doc/sql.md that follows this comment."""
    _, separator, rest = SQL_PAGE.read_text().partition(f"-- {title}\n")
    if not separator:
        raise LookupError(f"{SQL_PAGE.name} has no query {title!r}")
    return rest.partition(";")[0]
