"""Leaderboard: the chosen experiments in a table and their loss curves in one chart."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from web import charts, columns
from web.cache import Reading
from web.queries import Snapshot
from web.selection import Selection, rank_tasks
from web.sources import Sources
from web.table import Summary, accuracy_floor, leaderboard_table, summarise
from web.wording import START_AGAIN, count, percent, plain, some

# Curves that the database has for an experiment, and what people call them.
METRICS = {"loss": "Training loss", "validation_loss": "Validation loss"}
CHART_HEIGHT_PIXELS = 460
# The key of the choice of columns, and its name in the URL: ?columns=momentum&columns=batch_size
COLUMNS = "columns"


def show(sources: Sources, selection: Selection) -> None:
    """Draw the page."""
    snapshot, models = sources.snapshot(), sources.models()
    if snapshot.value is None:
        _show_no_database(sources, snapshot)
        return
    if snapshot.is_stale:
        # How old the data is stands in the strip, where the age keeps counting.
        st.warning(
            f"{snapshot.problem} What you see was read before that; the page catches up by itself once Postgres is back.",
            icon=":material/history:",
            title="Last known data",
        )
    experiments = snapshot.value.experiments
    if experiments.empty:
        st.info(
            f"{plain(' '.join(snapshot.value.import_errors))} Add rows to `data.csv`, then {START_AGAIN}.",
            icon=":material/inbox:",
            title="No experiments yet",
        )
        return
    served = None if models.problem else models.value
    tasks = rank_tasks(snapshot.value.task_of)
    for task in tasks if selection.task is None else [selection.task]:
        _show_summary(summarise(experiments[experiments["task"] == task], served), task if len(tasks) > 1 else None)
    if selection.unknown:
        st.warning(f"Not in the database: {some(selection.unknown)}.", icon=":material/help:")
    if not selection.names:
        st.info("None of the chosen experiments exists. Clear the choice to see the newest ones.")
        return
    table = leaderboard_table(experiments, selection.names, served, _pick_columns(experiments))
    task_of = snapshot.value.task_of
    by_task: dict[str, list[str]] = {}
    for name in table["experiment"]:
        by_task.setdefault(task_of[name], []).append(name)
    among = len(experiments) if selection.task is None else list(task_of.values()).count(selection.task)
    _show_table(table, accuracy_floor(experiments), among, several_tasks=len(by_task) > 1)
    gone = list(experiments.loc[experiments["missing_since"].notna(), "experiment"])
    if shown_gone := [name for name in table["experiment"] if name in gone]:
        st.caption(f"No longer in the file they came from: {some(shown_gone)}.")
    _show_curves(sources, by_task)


def _show_no_database(sources: Sources, snapshot: Reading[Snapshot]) -> None:
    st.error(
        f"{snapshot.problem} The page fills by itself once Postgres is back.",
        icon=":material/database_off:",
        title="No experiments to show",
    )
    if st.button("Retry", icon=":material/refresh:"):
        sources.retry()
        st.rerun()


def _show_summary(summary: Summary, task: str | None) -> None:
    of_task = "" if task is None else f" of **{plain(task)}**"
    parts = [f"**{count(summary.experiments, 'experiment')}**{of_task}"]
    if summary.gone:
        parts.append(f"{summary.gone:,} more no longer in the file")
    if summary.best_accuracy is not None:
        best = summary.best_accuracy
        parts.append(f"best accuracy **{percent(best.value, 2)}** by {plain(best.experiment)}")
    if summary.lowest_loss is not None:
        lowest = summary.lowest_loss
        parts.append(f"lowest loss **{lowest.value:.4f}** by {plain(lowest.experiment)}")
    if summary.serving is not None:
        parts.append(f"**{summary.serving:,}** serving")
    st.markdown(" \N{MIDDLE DOT} ".join(parts))


def _pick_columns(experiments: pd.DataFrame) -> list[str]:
    """Show the heading of the table with the choice of its columns, and return their ids in the order chosen."""
    offered = columns.offered(experiments)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Experiments", anchor=False, width="content")
        with st.popover("Columns", icon=":material/view_column:"):
            return st.multiselect(
                "Columns of the table",
                offered,
                default=columns.usual(offered),
                key=COLUMNS,
                bind="query-params",
                width=360,
                help="Behind the usual ones stand all further columns of the CSV files that any experiment has.",
            )


def _column_configs(table: pd.DataFrame, floor: float) -> dict[str, Any]:
    """Say how the table shows each of its columns. floor: where the accuracy bars begin, in percent."""
    usual = {
        "experiment": st.column_config.TextColumn("Experiment", width=285),
        "learning_rate": st.column_config.NumberColumn(format="%.4g", width=97),
        "momentum": st.column_config.NumberColumn(format="%.3g", width="small"),
        "task": st.column_config.TextColumn(width="small", help="Column Task of the CSV file: what is learnt to be told apart."),
        "architecture": st.column_config.TextColumn(width=140),
        "outcome": st.column_config.TextColumn(width="small", help="Column Outcome of the CSV file."),
        "test_accuracy": st.column_config.ProgressColumn(
            format="%.2f %%",
            min_value=floor,
            max_value=100,
            width=135,
            help=f"Share of the test images that are read rightly. The bar begins at {floor:.0f} %.",
        ),
        "best_loss": st.column_config.NumberColumn(format="%.4f", width="small"),
        "last_loss": st.column_config.NumberColumn(format="%.4f", width="small"),
        "serving": st.column_config.TextColumn(width="small", help="Whether the experiment's model answers on the page Predict."),
    }
    configs = {column: usual.get(column) or _further_config(table[column]) for column in table.columns}
    return {column: {**config, "label": config["label"] or columns.label(column)} for column, config in configs.items()}


def _further_config(values: "pd.Series[Any]") -> Any:
    if pd.api.types.is_integer_dtype(values):
        return st.column_config.NumberColumn(format="%d")
    return st.column_config.NumberColumn(format="%.6g") if pd.api.types.is_float_dtype(values) else st.column_config.TextColumn()


def _show_table(table: pd.DataFrame, floor: float, of: int, *, several_tasks: bool) -> None:
    st.dataframe(
        table,
        hide_index=True,
        alt=f"{count(len(table), 'experiment')} with what is chosen of their settings and results",
        placeholder="\N{EN DASH}",
        column_config=_column_configs(table, floor),
    )
    order = "by task, the most accurate first" if several_tasks else "the most accurate first"
    st.caption(f"{len(table):,} of {count(of, 'experiment')}, {order}. Click a column to sort by it.")


def _show_curves(sources: Sources, by_task: Mapping[str, Sequence[str]]) -> None:
    """Show a chart for each task, as losses of different tasks do not compare. by_task: the experiments' names."""
    # On the left: Streamlit's toolbar of the chart lies over what stands above its right end.
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.subheader("Loss curves", anchor=False, width="content")
        metric = st.segmented_control(
            "Curve",
            list(METRICS),
            default="loss",
            required=True,
            format_func=METRICS.__getitem__,
            label_visibility="collapsed",
            key="curve",
            bind="query-params",
        )
        log = st.toggle("Log axis", key="log", bind="query-params")
    for task, names in by_task.items():
        if len(by_task) > 1:
            st.markdown(f"**{plain(task)}**")
        _show_chart(sources, names, metric or "loss", log=log)


def _show_chart(sources: Sources, names: Sequence[str], metric: str, *, log: bool) -> None:
    reading = sources.curves(metric, names)
    if reading.value is None:
        st.info(f"{reading.problem} These curves were not read before it went away.")
        return
    option = charts.loss_curves(reading.value, names, log=log, metric=METRICS[metric].lower())
    drawn = [series["name"] for series in option["series"]]
    if not drawn:
        st.info(f"None of these experiments has a {METRICS[metric].lower()} curve.")
        return
    st.echarts_chart(
        option,
        height=CHART_HEIGHT_PIXELS,
        alt=f"{METRICS[metric]} over training steps, one line for each of {count(len(drawn), 'experiment')}",
    )
    if above := charts.beyond(reading.value, option["yAxis"].get("max")):
        st.caption(f"Beyond the top of the chart in places: {some(above)}. The values are under the mouse.")
    without = [name for name in names if name not in drawn]
    if without and len(drawn) < charts.MAX_CURVES:
        st.caption(f"Without a {METRICS[metric].lower()} curve: {some(without)}.")
    elif without:
        st.caption(f"The chart shows the first {charts.MAX_CURVES} of {len(names)} experiments.")
