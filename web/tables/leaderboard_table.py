"""The leaderboard's table, as data. Pure."""

from collections.abc import Mapping, Sequence

import pandas as pd

from web.data.api_client import Model
from web.data.queries import LeaderboardQuery
from web.formatting import count, plain
from web.tables.leaderboard_columns import LABELS, LARGEST_SHOWN, further, label, offered

# What the column Serving says of a model's state.
_SERVING = {"READY": "Ready", "LOADING": "Loading", "FAILED": "Failed"}
NO_MODEL = "No model"
CHAMPION = "\N{BLACK STAR}"
UNKNOWN = "API down"
# Digits of a page number in a link; more are no page that there is.
LONGEST_PAGE = 7


def serving_state(experiment: str, models: Mapping[str, Model] | None) -> str:
    """Say in words whether an experiment's model answers. models is None when the API is down."""
    if models is None:
        return UNKNOWN
    model = models.get(experiment)
    return NO_MODEL if model is None else _SERVING.get(model.state, model.state)


def leaderboard_table(
    rows: pd.DataFrame, models: Mapping[str, Model] | None, columns: Sequence[str]
) -> pd.DataFrame:
    """Return the table of a page of the leaderboard, in its order.

    Args:
        rows: as queries.LeaderboardPage.rows.
        models: the served models by name, None when the API is down.
        columns: the ids of those to show, see web.tables.leaderboard_columns.

    Returns:
        experiment, then the columns in their order: test_accuracy in percent, losses without what
        no table can show.

    """
    shown = rows.assign(
        champion=rows["champion"].map({True: CHAMPION, False: ""}),
        test_accuracy=rows["test_accuracy"] * 100,
        last_loss=rows["last_loss"].where(rows["last_loss"] < LARGEST_SHOWN),
        loss_curve=rows["loss_curve"].map(
            lambda curve: [min(value, LARGEST_SHOWN) for value in curve]
        ),
        serving=[serving_state(name, models) for name in rows["experiment"]],
    )
    chosen = {
        column: shown[column] if column in LABELS else further(rows, column) for column in columns
    }
    return pd.DataFrame({"experiment": shown["experiment"], **chosen}).reset_index(drop=True)


def describe_rows(
    view: LeaderboardQuery,
    *,
    first: int,
    shown: int,
    matching: int,
    among: int,
    several_tasks: bool,
) -> str:
    """Say in markdown which experiments of a view are shown, in which order, and how many are not.

    Args:
        view: what is asked for.
        first: how many of the view stand on earlier pages.
        shown: how many are shown.
        matching: how many the view has.
        among: how many the task has.
        several_tasks: whether those shown are of several.

    """
    which = f"{shown:,}" if shown == matching else f"{first + 1:,} to {first + shown:,}"
    if view.names:
        what = f"{which} of {count(matching, 'chosen experiment')}"
    elif view.condition is not None:
        what = f"{which} of {matching:,} that match; {among - matching:,} of {count(among, 'experiment')} do not"
    elif matching < among:
        newest = "" if shown == matching else f"of the newest {matching:,} "
        what = f"{which} {newest}of {count(among, 'experiment')}, the newest"
    else:
        what = f"{which} of {count(among, 'experiment')}"
    ends = "highest" if view.descending else "lowest"
    tasks = "by task, then " if several_tasks else ""
    more = matching - first - shown
    return f"{what}; sorted {tasks}by {plain(label(view.sort).lower())}, {ends} first" + (
        f"; {more:,} more behind" if more > 0 else ""
    )


def usable_page(asked: object) -> int:
    """Return the number of a page as a link may have it; 1 for what is none."""
    text = str(asked)
    return (
        max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < LONGEST_PAGE else 1
    )


def by_task(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of these experiments by their tasks, in the order of the rows."""
    chosen = rows[rows["experiment"].isin(names)]
    return {
        str(task): list(group["experiment"]) for task, group in chosen.groupby("task", sort=False)
    }


def to_csv(rows: pd.DataFrame) -> str:
    """Return experiments as CSV, values as they are stored, every key of params and metrics in a
    column of its own.

    Args:
        rows: as queries.read_matching returns them.

    """
    keys = sorted(
        {key for holder in ("params", "metrics") for mapping in rows[holder] for key in mapping}
    )
    added = {
        column: further(rows, column)
        for column in offered(keys, several_tasks=False)
        if column not in LABELS
    }
    known = rows.drop(columns=["params", "metrics", "missing_since"])
    return known.assign(**added).to_csv(index=False)


def serving_count(
    task_of: Mapping[str, str], task: str, models: Mapping[str, Model] | None
) -> int | None:
    """Say how many of a task's experiments answer.

    task_of: the task of every experiment. None when the API is down.
    """
    if models is None:
        return None
    return sum(
        model.state == "READY" and task_of.get(model.name) == task for model in models.values()
    )


def accuracy_floor(lowest: float | None) -> float:
    """Where the accuracy bars begin, in percent.

    The ten below the lowest accuracy (0..1), so that the bars differ visibly.
    """
    return 0.0 if lowest is None else max(0.0, min(90.0, float(lowest * 100 // 10 * 10)))
