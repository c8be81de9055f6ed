"""Leaderboard.

Experiments in a table that Postgres filters, sorts and pages, other views of them, and their loss
curves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from web.charts import options
from web.components.experiment_picker import EXPERIMENTS, Selection
from web.data.api_client import Model
from web.data.filter_language import FilterError, column_names, marked, parse
from web.data.queries import (
    DEFAULT_SORT,
    PAGE_ROWS,
    SORTS,
    LeaderboardPage,
    LeaderboardQuery,
    TaskSummary,
)
from web.formatting import START_AGAIN, count, percent, plain, some
from web.sources import Sources
from web.tables import leaderboard_columns
from web.tables.leaderboard_table import (
    accuracy_floor,
    by_task,
    describe_rows,
    leaderboard_table,
    serving_count,
    to_csv,
    usable_page,
)

# Curves that the database has for an experiment, and what people call them.
METRICS = {"loss": "Training loss", "validation_loss": "Validation loss"}
CHART_HEIGHT_PIXELS = 460
# Of a list that nobody made by hand the first few have their curves drawn, unless rows are ticked.
FEW_CURVES = 10
ROW_HEIGHT_PIXELS, MAX_TABLE_ROWS = 35, 16

# The widgets' keys, and their names in the URL:
# ?filter=lr+<+0.1&sort=momentum&down=false&page=2&view=Scatter&columns=momentum
FILTER, EVERY, SORT, DOWN, PAGE, VIEW, COLUMNS = (
    "filter",
    "every",
    "sort",
    "down",
    "page",
    "view",
    "columns",
)
CHOICES = (FILTER, EVERY, SORT, DOWN, PAGE, VIEW, COLUMNS, "curve", "log")
TABLE, PARALLEL, HEAT_MAP, SCATTER = "Table", "Parallel coordinates", "Heat map", "Scatter"
# What an experiment must have to be drawn.
NEEDS = {
    PARALLEL: tuple(options.AXES),
    HEAT_MAP: ("learning_rate", "momentum", "test_accuracy"),
    SCATTER: ("learning_rate", "test_accuracy"),
}
_SORT_LABELS = {"experiment": "Name", "newest": "Newest"}


def show(sources: Sources, selection: Selection, links: Mapping[str, st.Page]) -> None:
    """Draw the page. links: the pages that the ticked experiments can be taken to, by title."""
    snapshot, models, keys = sources.snapshot(), sources.models(), sources.keys()
    if snapshot.value is None or keys.value is None:
        _show_no_database(sources, snapshot.problem or keys.problem)
        return
    if snapshot.is_stale:
        # How old the data is stands in the strip, where the age keeps counting.
        st.warning(
            f"{snapshot.problem} What you see was read before that; the page catches up by itself once Postgres is back.",
            icon=":material/history:",
            title="Last known data",
        )
    if snapshot.value.experiments.empty:
        st.info(
            f"{plain(' '.join(snapshot.value.import_errors))} Add rows to `data.csv`, then {START_AGAIN}.",
            icon=":material/inbox:",
            title="No experiments yet",
        )
        return
    if selection.unknown:
        st.warning(f"Not in the database: {some(selection.unknown)}.", icon=":material/help:")
    chosen = bool(st.session_state.get(EXPERIMENTS))
    if chosen and not selection.names:
        st.info("None of the chosen experiments exists. Clear the choice to see the newest ones.")
        return
    above = st.container()
    try:
        view = _pick_view(selection, keys.value, chosen=chosen)
    except FilterError as fault:
        _show_fault(fault, keys.value)
        return
    reading = sources.leaderboard(
        view, usable_page(st.session_state.get(PAGE) or st.query_params.get(PAGE))
    )
    if reading.value is None:
        _show_no_database(sources, reading.problem)
        return
    task_of = snapshot.value.task_of
    served = None if models.problem else models.value
    with above:
        for totals in reading.value.totals:
            if selection.task in (None, totals.task):
                serving = serving_count(task_of, totals.task, served)
                _show_totals(totals, serving, several_tasks=len(reading.value.totals) > 1)
    _show_board(sources, reading.value, view, served, keys.value, links, is_stale=reading.is_stale)


def _show_board(
    sources: Sources,
    board: LeaderboardPage,
    view: LeaderboardQuery,
    models: Mapping[str, Model] | None,
    keys: Sequence[str],
    links: Mapping[str, st.Page],
    *,
    is_stale: bool,
) -> None:
    """Show the experiments in the view that is picked, and their curves below.

    is_stale: Postgres does not answer now.
    """
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="board"
    ):
        shape = st.segmented_control(
            "View",
            [TABLE, PARALLEL, HEAT_MAP, SCATTER],
            default=TABLE,
            required=True,
            label_visibility="collapsed",
            wrap=True,
            key=VIEW,
            bind="query-params",
        )
        offered = leaderboard_columns.offered(keys, several_tasks=len(board.totals) > 1)
        chosen_columns = _pick_columns(offered)
    if view.task is not None and chosen_columns == leaderboard_columns.usual(
        offered
    ):  # then all rows would say the same
        chosen_columns = [column for column in chosen_columns if column != leaderboard_columns.TASK]
    most = options.MAX_COUNTED if shape == HEAT_MAP else options.MAX_EXPERIMENTS
    words = describe_rows(
        view,
        first=(board.page - 1) * PAGE_ROWS if shape == TABLE else 0,
        shown=len(board.rows) if shape == TABLE else min(most, board.matching),
        matching=board.matching,
        among=(among := board.among(None if view.names else view.task)),
        several_tasks=len(set(board.rows["task"])) > 1,
    )
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="rows"
    ):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.caption(words, width="content")
            if not view.names and view.condition is None:
                st.toggle(f"Show all {among:,}", key=EVERY, bind="query-params", on_change=_begin)
        actions = st.container(horizontal=True, width="content")
    if not board.matching:
        st.info("No experiment matches this filter.", icon=":material/search_off:")
        st.button("Clear the filter", icon=":material/close:", on_click=_set_filter, args=("",))
        return
    if shape == TABLE:
        ticked = _show_table(board, leaderboard_table(board.rows, models, chosen_columns))
    else:
        ticked = []
        _show_shape(sources, view, shape, most)
    with actions:
        if shape == TABLE:
            _show_ways(links, ticked)
        st.download_button(
            f"CSV of {count(board.matching, 'experiment')}",
            lambda: to_csv(sources.export(view)),
            "experiments.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
            disabled=is_stale,
            help="Postgres does not answer." if is_stale else "All that match, on all pages.",
        )
    rows = board.rows
    if gone := list(rows.loc[rows["missing_since"].notna(), "experiment"]):
        st.caption(f"No longer in the file they came from: {some(gone)}.")
    few = options.MAX_CURVES if ticked or view.names or view.latest is not None else FEW_CURVES
    _show_curves(sources, by_task(rows, ticked or list(rows["experiment"])), few)


def _pick_view(selection: Selection, keys: Sequence[str], *, chosen: bool) -> LeaderboardQuery:
    """Show the filter and the order, and return what they ask for. Raises FilterError."""
    sorts = [
        *SORTS,
        *(key for key in keys if key not in SORTS and key not in leaderboard_columns.LABELS),
    ]
    with st.container(horizontal=True, vertical_alignment="bottom", key="query"):
        written = st.text_input(
            "Filter",
            type="search",
            key=FILTER,
            bind="query-params",
            placeholder="accuracy > 98 % and lr < 0.05",
            help=(
                "Compare any column with `=` `!=` `<` `<=` `>` `>=`; `~` finds a part of a text; join with `and`, `or`, `not` and "
                "brackets; `task in (a, b)`; `outcome is missing`. Quote what has blanks. A free choice takes precedence."
            ),
            disabled=chosen,
            on_change=_begin,
        )
        sort = st.selectbox(
            "Sort by",
            sorts,
            format_func=lambda name: _SORT_LABELS.get(name) or leaderboard_columns.label(name),
            key=SORT,
            bind="query-params",
            width=170,
            help="Sorts all pages, those without a value last. A click on a column sorts the rows that you see.",
            on_change=_begin,
        )
        down = st.toggle(
            "Highest first", value=True, key=DOWN, bind="query-params", on_change=_begin
        )
    every = bool(st.session_state.get(EVERY, st.query_params.get(EVERY) == "true"))
    return LeaderboardQuery(
        names=selection.names if chosen else (),
        condition=None if chosen else parse(written or "", keys),
        task=None if chosen else selection.task,
        latest=None if every else len(selection.names),
        sort=sort or DEFAULT_SORT,
        descending=down,
    )


def _begin() -> None:
    """Go back to the first page: the one that was shown is another one now."""
    if PAGE in st.session_state:
        st.session_state[PAGE] = 1


def _set_filter(text: str) -> None:
    st.session_state[FILTER] = text
    _begin()


def _show_fault(fault: FilterError, keys: Sequence[str]) -> None:
    """Show the filter with the token at fault underlined, what could stand there, and what there
    is.
    """
    written = st.session_state[FILTER]
    st.warning(
        plain(fault.message), icon=":material/filter_alt_off:", title="This filter cannot be read"
    )
    st.code(marked(written, fault), language=None)
    if fault.suggestion is not None:
        mended = (
            written[: fault.position] + fault.suggestion + written[fault.position + fault.length :]
        )
        st.button(
            f"Did you mean {plain(fault.suggestion)}?",
            icon=":material/auto_fix_high:",
            on_click=_set_filter,
            args=(mended,),
        )
    st.caption(f"Columns: {some(column_names(keys), at_most=60)}.")


def _show_no_database(sources: Sources, problem: str | None) -> None:
    st.error(
        f"{problem} The page fills by itself once Postgres is back.",
        icon=":material/database_off:",
        title="No experiments to show",
    )
    if st.button("Retry", icon=":material/refresh:"):
        sources.retry()
        st.rerun()


def _show_totals(totals: TaskSummary, serving: int | None, *, several_tasks: bool) -> None:
    of_task = f" of **{plain(totals.task)}**" if several_tasks else ""
    parts = [f"**{count(totals.experiments, 'experiment')}**{of_task}"]
    if totals.gone:
        parts.append(f"{totals.gone:,} more no longer in the file")
    if totals.most_accurate is not None and totals.best_accuracy is not None:
        parts.append(
            f"best accuracy **{percent(totals.best_accuracy, 2)}** by {plain(totals.most_accurate)}"
        )
    if totals.least_loss is not None:
        parts.append(f"lowest loss **{totals.lowest_loss:.3g}** by {plain(totals.least_loss)}")
    if serving is not None:
        parts.append(f"**{serving:,}** serving")
    st.markdown(" \N{MIDDLE DOT} ".join(parts))


def _pick_columns(offered: Sequence[str]) -> list[str]:
    """Show the choice of the table's columns, and return their ids in the order chosen."""
    with st.popover("Columns", icon=":material/view_column:"):
        return st.multiselect(
            "Columns of the table",
            offered,
            default=leaderboard_columns.usual(offered),
            key=COLUMNS,
            bind="query-params",
            width=360,
            help="Behind the usual ones stand all further columns of the CSV files that any experiment has.",
        )


def _column_configs(table: pd.DataFrame, floor: float) -> dict[str, Any]:
    """Say how the table shows each of its columns.

    floor: where the accuracy bars begin, in percent.
    """
    usual = {
        "experiment": st.column_config.TextColumn("Experiment", width=250),
        "champion": st.column_config.TextColumn(
            "\N{BLACK STAR}", width=40, help="The champion of its task, see the page Models."
        ),
        "learning_rate": st.column_config.NumberColumn(format="%.4g", width=97),
        "momentum": st.column_config.NumberColumn(format="%.3g", width="small"),
        "task": st.column_config.TextColumn(
            width="small", help="Column Task of the CSV file: what is learnt to be told apart."
        ),
        "architecture": st.column_config.TextColumn(width=140),
        "outcome": st.column_config.TextColumn(
            width="small", help="Column Outcome of the CSV file."
        ),
        "test_accuracy": st.column_config.ProgressColumn(
            format="%.2f %%",
            min_value=floor,
            max_value=100,
            width=135,
            help=f"Share of the test images that are read rightly. The bar begins at {floor:.0f} %.",
        ),
        "best_loss": st.column_config.NumberColumn(format="%.4f", width="small"),
        "last_loss": st.column_config.NumberColumn(format="%.4f", width="small"),
        "loss_curve": st.column_config.LineChartColumn(
            width=110, help="Training loss over the steps, from its highest to its lowest."
        ),
        "serving": st.column_config.TextColumn(
            width="small", help="Whether the experiment's model answers on the page Predict."
        ),
    }
    configs = {
        column: usual.get(column) or _further_config(table[column]) for column in table.columns
    }
    return {
        column: {**config, "label": config["label"] or leaderboard_columns.label(column)}
        for column, config in configs.items()
    }


def _further_config(values: "pd.Series[Any]") -> Any:
    if pd.api.types.is_integer_dtype(values):
        return st.column_config.NumberColumn(format="%d")
    return (
        st.column_config.NumberColumn(format="%.6g")
        if pd.api.types.is_float_dtype(values)
        else st.column_config.TextColumn()
    )


def _show_table(board: LeaderboardPage, table: pd.DataFrame) -> list[str]:
    """Show the rows of a page and the numbers of the others.

    Return the names of those that are ticked.
    """
    lowest = [
        totals.lowest_accuracy for totals in board.totals if totals.lowest_accuracy is not None
    ]
    names = list(table["experiment"])
    shown = st.dataframe(
        table,
        hide_index=True,
        height=ROW_HEIGHT_PIXELS * (min(len(table), MAX_TABLE_ROWS) + 1) + 2,
        alt=f"{count(len(table), 'experiment')} with what is chosen of their settings and results",
        placeholder="\N{EN DASH}",
        column_config=_column_configs(table, accuracy_floor(min(lowest, default=None))),
        on_select="rerun",
        selection_mode="multi-row",
        # What is ticked is known by its place alone: other rows are another table.
        key=f"table-{hash(tuple(names))}",
    )
    if board.pages > 1:
        st.pagination(board.pages, key=PAGE, bind="query-params")
    return [names[row] for row in shown.selection.rows if row < len(names)]


def _show_ways(links: Mapping[str, st.Page], ticked: list[str]) -> None:
    """Show where the ticked experiments can be taken."""
    ways = (
        ("Compare", "Compare", ":material/compare_arrows:"),
        ("Predict", "Predict with", ":material/draw:"),
    )
    for title, action, icon in ways:
        st.page_link(
            links[title],
            label=f"{action} {len(ticked):,}" if ticked else f"{action} ticked",
            icon=icon,
            query_params={EXPERIMENTS: ticked},
            disabled=not ticked,
            help=None if ticked else "Tick rows of the table first.",
        )


def _show_shape(sources: Sources, view: LeaderboardQuery, shape: str, most: int) -> None:
    """Show the first experiments of a view as a chart, one for each task, as accuracies of
    different tasks do not compare.
    """
    reading = sources.points(view, most)
    if reading.value is None:
        st.info(f"{reading.problem} These experiments were not read before it went away.")
        return
    dark = st.context.theme.type == "dark"
    for task, rows in reading.value.groupby("task"):
        if len(set(reading.value["task"])) > 1:
            st.markdown(f"**{plain(str(task))}**")
        if shape == PARALLEL:
            option = options.parallel_coordinates(rows, dark=dark)
        else:
            option = (
                options.best_accuracy_heat_map(rows, dark=dark)
                if shape == HEAT_MAP
                else options.scatter(rows)
            )
        drawn = len(options.complete(rows, NEEDS[shape]))
        st.echarts_chart(
            option, height=CHART_HEIGHT_PIXELS, alt=f"{shape} of {count(drawn, 'experiment')}"
        )
        if drawn < len(rows):
            st.caption(
                f"{count(len(rows) - drawn, 'experiment')} without one of these numbers, or with one that the axis cannot show."
            )


def _show_curves(sources: Sources, by_task: Mapping[str, Sequence[str]], few: int) -> None:
    """Show a chart for each task, as losses of different tasks do not compare.

    Args:
        sources: where the curves are read.
        by_task: the experiments' names.
        few: how many of each task are drawn.

    """
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
        _show_chart(sources, names[:few], metric or "loss", log=log)
        if len(names) > few:
            st.caption(
                f"The curves of the first {few} of {len(names)} rows. Tick rows of the table to see theirs."
            )


def _show_chart(sources: Sources, names: Sequence[str], metric: str, *, log: bool) -> None:
    reading = sources.curves(metric, names)
    if reading.value is None:
        st.info(f"{reading.problem} These curves were not read before it went away.")
        return
    option = options.loss_curves(reading.value, names, log=log, metric=METRICS[metric].lower())
    drawn = [series["name"] for series in option["series"]]
    if not drawn:
        st.info(f"None of these experiments has a {METRICS[metric].lower()} curve.")
        return
    st.echarts_chart(
        option,
        height=CHART_HEIGHT_PIXELS,
        alt=f"{METRICS[metric]} over training steps, one line for each of {count(len(drawn), 'experiment')}",
    )
    if above := options.beyond(reading.value, option["yAxis"].get("max")):
        st.caption(
            f"Beyond the top of the chart in places: {some(above)}. The values are under the mouse."
        )
    without = [name for name in names if name not in drawn]
    if without:
        st.caption(f"Without a {METRICS[metric].lower()} curve: {some(without)}.")
