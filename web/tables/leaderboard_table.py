"""Table of the leaderboard, its caption and its CSV export."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from web.charts.sparkline import clamp_values
from web.data.api_types import Model
from web.data.leaderboard.columns import (
    COLUMNS,
    MAX_DISPLAY_VALUE,
    available_columns,
    column_title,
    extra_column,
)
from web.data.leaderboard_queries import LeaderboardQuery, TaskSummary
from web.formatting import escape_markdown, pluralize
from web.tables.model_registry import CHAMPION_STAR, STATES
from web.tables.run_names import run_links, shorten_names

# Column of links to the pages of the runs
RUN = "run"
API_DOWN = "API down"
WHOLE = 100.0
# Below it, bars would show differences that are only noise.
MIN_BAR_SPAN = 0.005
# A page number with more digits is not a page.
MAX_PAGE_DIGITS = 6


def serving_state(experiment: str, models: Mapping[str, Model] | None) -> str:
    """Return the serving state of an experiment's model. models: None while the API is down."""
    if models is None:
        return API_DOWN
    model = models.get(experiment)
    state = "NO_MODEL" if model is None else model.state
    return STATES.get(state, state)


# Columns with a change against the baseline behind them, their factors and the changes' ids
CHANGES = {
    "test_accuracy": (WHOLE, "accuracy_change"),
    "best_validation_loss": (1.0, "validation_loss_change"),
    "best_loss": (1.0, "training_loss_change"),
}


def leaderboard_table(
    rows: pd.DataFrame,
    models: Mapping[str, Model] | None,
    columns: Sequence[str],
    baseline: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the table of one leaderboard page, in its order.

    Args:
        rows: see leaderboard_queries.LeaderboardPage.
        models: served models by name, None while the API is down.
        columns: ids of the columns, see leaderboard.columns.
        baseline: experiment, task and results of the baseline, see queries.read_runs.

    Returns:
        experiment, the run's link, then the columns in their order: test_accuracy in percent,
        losses without values that a table cannot display. With a baseline, the columns of CHANGES
        are followed by their changes, without one for the baseline and for other tasks.

    """
    shown = rows.assign(
        champion=rows["champion"].map({True: CHAMPION_STAR, False: ""}),
        test_accuracy=rows["test_accuracy"] * 100,
        state=rows["state"].where(rows["archived_at"].isna(), rows["state"] + ", archived"),
        best_validation_loss=_displayable(rows["best_validation_loss"]),
        best_loss=_displayable(rows["best_loss"]),
        last_loss=_displayable(rows["last_loss"]),
        loss_curve=rows["loss_curve"].map(clamp_values),
        serving=[serving_state(name, models) for name in rows["experiment"]],
    )
    values: dict[str, pd.Series[Any]] = {}
    for column in columns:
        values[column] = shown[column] if column in COLUMNS else extra_column(rows, column)
        if baseline is not None and column in CHANGES:
            factor, change = CHANGES[column]
            is_comparable = (rows["task"] == baseline["task"]) & (
                rows["experiment"] != baseline["experiment"]
            )
            difference = (rows[column] - baseline[column]) * factor
            values[change] = _displayable(difference).where(is_comparable)
    names = list(shown["experiment"])
    links = pd.Series(run_links(names, shorten_names(names)), index=shown.index, dtype="object")
    return pd.DataFrame({"experiment": shown["experiment"], RUN: links, **values}).reset_index(
        drop=True
    )


def _displayable(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return values.where(values < MAX_DISPLAY_VALUE)


def describe_rows(
    query: LeaderboardQuery,
    *,
    offset: int,
    shown: int,
    matching_count: int,
    total_count: int,
    has_several_tasks: bool,
) -> str:
    """Return the caption of the table in markdown: shown rows, hidden rows and order.

    Args:
        query: the selection and the order.
        offset: number of rows on earlier pages.
        shown: number of rows on this page.
        matching_count: number of rows on all pages.
        total_count: number of experiments of the task.
        has_several_tasks: whether the shown rows belong to several tasks.

    """
    is_complete = shown == matching_count
    numbers = f"{offset + 1:,} to {offset + shown:,}"
    total = pluralize(total_count, "experiment")
    if query.names:
        picked = pluralize(matching_count, "picked experiment")
        rows = picked if is_complete else f"{numbers} of {picked}"
    elif query.condition is not None:
        matching = f"{matching_count:,} of {total_count:,} match"
        rows = matching if is_complete else f"{numbers} of {matching_count:,} matches ({total})"
    elif matching_count < total_count:
        newest = f"Newest {matching_count:,} of {total}"
        rows = newest if is_complete else f"{numbers} of the newest {matching_count:,} ({total})"
    else:
        rows = f"All {total}" if is_complete else f"{numbers} of {total}"
    order = "highest first" if query.descending else "lowest first"
    by_task = "by task, then " if has_several_tasks else ""
    title = escape_markdown(column_title(query.sort).lower())
    return f"{rows}, sorted {by_task}by {title}, {order}"


def parse_page(value: object) -> int:
    """Return the page number of a link, 1 if it is not a page number."""
    text = str(value)
    is_number = text.isascii() and text.isdecimal() and len(text) <= MAX_PAGE_DIGITS
    return max(1, int(text)) if is_number else 1


def group_by_task(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the given experiments by task, in the order of the rows."""
    selected = rows[rows["experiment"].isin(names)]
    return {
        str(task): list(group["experiment"]) for task, group in selected.groupby("task", sort=False)
    }


def to_csv(rows: pd.DataFrame) -> str:
    """Return experiments as CSV: stored values, and one column per key of params and metrics.

    Args:
        rows: see leaderboard_queries.read_all_rows.

    """
    keys = sorted(
        {key for column in ("params", "metrics") for mapping in rows[column] for key in mapping}
    )
    extra = {
        column: extra_column(rows, column)
        for column in available_columns(keys, has_several_tasks=False)
        if column not in COLUMNS
    }
    built_in = rows.drop(columns=["params", "metrics", "missing_since", "archived_at"])
    return built_in.assign(**extra).to_csv(index=False)


def count_serving(
    task_of: Mapping[str, str], task: str, models: Mapping[str, Model] | None
) -> int | None:
    """Return the number of experiments of a task with a ready model, None while the API is down.

    Args:
        task_of: task of every experiment.
        task: the task to count.
        models: served models by name, None while the API is down.

    """
    if models is None:
        return None
    return sum(
        model.state == "READY" and task_of.get(model.name) == task for model in models.values()
    )


def accuracy_bar_range(summaries: Sequence[TaskSummary]) -> tuple[float, float]:
    """Return start and end of the accuracy bars in percent, so that the bars differ visibly.

    The bars start below the lower quartile of the accuracies and end at the best one. Failed runs
    are below the start.
    """
    spans = [
        (summary.quartile_accuracy, summary.best_accuracy)
        for summary in summaries
        if summary.quartile_accuracy is not None and summary.best_accuracy is not None
    ]
    if not spans:
        return 0.0, WHOLE
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    margin = max(MIN_BAR_SPAN, high - low) / 2
    start = math.floor((low - margin) * WHOLE * 10) / 10
    return max(0.0, start), math.ceil(high * WHOLE * 10) / 10
