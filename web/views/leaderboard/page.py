"""Leaderboard page: filtered, sorted and paged by Postgres."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from web.charts.loss_curves import MAX_CURVES
from web.components.baseline import BASELINE, pick_baseline, pinned_baseline
from web.components.experiment_picker import EXPERIMENTS, Selection
from web.components.loss_chart import AXIS, METRICS, pick_axis, pick_metric, show_loss_chart
from web.components.outage import show_database_down, show_stale_data
from web.data.api_types import Model
from web.data.filter_tokens import FilterError
from web.data.leaderboard_queries import (
    PAGE_ROWS,
    LeaderboardPage,
    LeaderboardQuery,
    TaskSummary,
)
from web.formatting import (
    RESTART_HINT,
    escape_markdown,
    format_percent,
    join_names,
    pluralize,
)
from web.sources import Sources
from web.tables.leaderboard_table import (
    count_serving,
    describe_rows,
    group_by_task,
    parse_page,
    to_csv,
)
from web.tables.run_names import markdown_link
from web.views.leaderboard import filter_bar
from web.views.leaderboard.display import (
    DISPLAY_KEYS,
    TABLE,
    max_experiments,
    pick_columns,
    pick_display,
    show_chart,
)
from web.views.leaderboard.experiment_table import PAGE, show_table

# Without picked experiments or selected rows, only the first curves are drawn.
DEFAULT_CURVES = 10

# The widgets' keys, which are also the URL parameters:
# ?filter=lr+<+0.1&sort=momentum&down=false&page=2&view=Scatter&columns=momentum
WIDGET_KEYS = (*filter_bar.FILTER_KEYS, *DISPLAY_KEYS, PAGE, BASELINE, "curve", AXIS)


def show(sources: Sources, selection: Selection, links: Mapping[str, st.Page]) -> None:
    """Draw the page.

    Args:
        sources: data of the page.
        selection: the experiment picker's selection.
        links: pages that can open the selected rows, by title.

    """
    snapshot, models, keys = sources.snapshot(), sources.models(), sources.column_keys()
    if snapshot.value is None or keys.value is None:
        _show_database_down(sources, snapshot.problem or keys.problem)
        return
    if snapshot.is_stale:
        show_stale_data(snapshot.problem)
    if snapshot.value.experiments.empty:
        errors = escape_markdown(" ".join(snapshot.value.import_errors))
        st.info(
            f"{errors} Add rows to `data.csv`, then {RESTART_HINT}.".strip(),
            icon=":material/inbox:",
            title="No experiments yet",
        )
        return
    if selection.unknown:
        st.warning(f"Not in the database: {join_names(selection.unknown)}.", icon=":material/help:")
    is_picked = bool(st.session_state.get(EXPERIMENTS))
    if is_picked and not selection.names:
        st.info("None of the picked experiments exists. Clear the selection to see all.")
        return
    summary_area = st.container()
    try:
        query = filter_bar.show_filter_bar(selection, keys.value, is_picked=is_picked)
    except FilterError as error:
        filter_bar.show_filter_error(error, keys.value)
        return
    page_number = parse_page(st.session_state.get(PAGE) or st.query_params.get(PAGE))
    result = sources.leaderboard(query, page_number)
    if result.value is None:
        _show_database_down(sources, result.problem)
        return
    served = None if models.problem else models.value
    with summary_area:
        _show_summaries(result.value.task_summaries, selection, snapshot.value.task_of, served)
    _show_experiments(
        sources, result.value, query, served, keys.value, links, is_stale=result.is_stale
    )


def _show_database_down(sources: Sources, problem: str | None) -> None:
    show_database_down(problem, sources.retry, title="No experiments to show")


def _show_summaries(
    summaries: Sequence[TaskSummary],
    selection: Selection,
    task_of: Mapping[str, str],
    models: Mapping[str, Model] | None,
) -> None:
    for summary in summaries:
        if selection.task in (None, summary.task):
            serving = count_serving(task_of, summary.task, models)
            _show_summary(summary, serving, has_several_tasks=len(summaries) > 1)


def _show_summary(summary: TaskSummary, serving: int | None, *, has_several_tasks: bool) -> None:
    of_task = f" of **{escape_markdown(summary.task)}**" if has_several_tasks else ""
    parts = [f"**{pluralize(summary.experiments, 'experiment')}**{of_task}"]
    if summary.removed:
        parts.append(f"{summary.removed:,} removed from their file")
    if summary.most_accurate_experiment is not None and summary.best_accuracy is not None:
        parts.append(
            f"best test accuracy **{format_percent(summary.best_accuracy, 2)}**"
            f" ({markdown_link(summary.most_accurate_experiment)})"
        )
    if summary.lowest_validation_loss_experiment is not None:
        parts.append(
            f"lowest validation loss **{summary.lowest_validation_loss:.3g}**"
            f" ({markdown_link(summary.lowest_validation_loss_experiment)})"
        )
    elif summary.lowest_loss_experiment is not None:
        parts.append(
            f"lowest training loss **{summary.lowest_loss:.3g}**"
            f" ({markdown_link(summary.lowest_loss_experiment)})"
        )
    if serving is not None:
        parts.append(f"**{serving:,}** serving")
    st.markdown(" \N{MIDDLE DOT} ".join(parts))


def _show_experiments(
    sources: Sources,
    page: LeaderboardPage,
    query: LeaderboardQuery,
    models: Mapping[str, Model] | None,
    keys: Sequence[str],
    links: Mapping[str, st.Page],
    *,
    is_stale: bool,
) -> None:
    """Show the experiments in the selected display, and their curves below.

    is_stale: whether Postgres is down now.
    """
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="board"
    ):
        display = pick_display()
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            pick_baseline(list(page.rows["experiment"]), "none")
            columns = pick_columns(page, query, keys)
    baseline = _read_baseline(sources)
    is_table = display == TABLE
    total_count = page.experiment_count(None if query.names else query.task)
    caption = describe_rows(
        query,
        offset=(page.page - 1) * PAGE_ROWS if is_table else 0,
        shown=len(page.rows) if is_table else min(max_experiments(display), page.matching_count),
        matching_count=page.matching_count,
        total_count=total_count,
        has_several_tasks=len(set(page.rows["task"])) > 1,
    )
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="rows"
    ):
        st.caption(caption, width="content")
        actions = st.container(horizontal=True, width="content")
    if not page.matching_count:
        filter_bar.show_no_match()
        return
    if is_table:
        selected = show_table(page, models, columns, baseline)
    else:
        selected = []
        show_chart(sources, query, display)
    with actions:
        if is_table:
            _show_links(links, selected)
        _show_export(sources, query, page.matching_count, is_stale=is_stale)
    rows = page.rows
    if removed := list(rows.loc[rows["missing_since"].notna(), "experiment"]):
        st.caption(f"Removed from their file: {join_names(removed)}.")
    has_selection = bool(selected or query.names or query.latest is not None)
    _show_curves(
        sources,
        group_by_task(rows, selected or list(rows["experiment"])),
        MAX_CURVES if has_selection else DEFAULT_CURVES,
        baseline,
    )


def _read_baseline(sources: Sources) -> Mapping[str, Any] | None:
    """Return the task and the results of the baseline, None without one."""
    name = pinned_baseline()
    if name is None:
        return None
    runs = sources.runs([name]).value
    if runs is not None and runs.empty:
        st.warning(f"The baseline is not in the database: {escape_markdown(name)}.")
    if runs is None or runs.empty:
        return None
    return {str(column): value for column, value in runs.iloc[0].items()}


def _show_links(links: Mapping[str, st.Page], selected: list[str]) -> None:
    """Show links that open the selected rows on other pages."""
    actions = (
        ("Compare", "Compare", ":material/compare_arrows:"),
        ("Predict", "Predict with", ":material/draw:"),
    )
    for title, action, icon in actions:
        st.page_link(
            links[title],
            label=f"{action} {len(selected):,}" if selected else f"{action} selected",
            icon=icon,
            query_params={EXPERIMENTS: selected},
            disabled=not selected,
            help=None if selected else "Select rows of the table first.",
        )


def _show_export(
    sources: Sources, query: LeaderboardQuery, matching_count: int, *, is_stale: bool
) -> None:
    st.download_button(
        f"CSV of {pluralize(matching_count, 'experiment')}",
        lambda: to_csv(sources.export(query)),
        "experiments.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        disabled=is_stale,
        help="Postgres does not respond." if is_stale else "All matches, on all pages.",
    )


def _show_curves(
    sources: Sources,
    names_by_task: Mapping[str, Sequence[str]],
    max_curves: int,
    baseline: Mapping[str, Any] | None,
) -> None:
    """Show one chart per task, as losses of different tasks are not comparable.

    Args:
        sources: source of the curves.
        names_by_task: the experiments.
        max_curves: number of curves per task.
        baseline: the pinned baseline, whose curve is always in the chart of its task.

    """
    st.subheader("Loss curves", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        metric = pick_metric()
        axis = pick_axis()
    for task, names in names_by_task.items():
        if len(names_by_task) > 1:
            st.markdown(f"**{escape_markdown(task)}**")
        reference = None if baseline is None or baseline["task"] != task else baseline["experiment"]
        shown = names[:max_curves]
        if reference is not None and reference not in shown:
            shown = [reference, *shown]
        curves = sources.curves(metric, shown)
        if curves.value is None:
            st.info(f"{curves.problem} The {METRICS[metric].lower()} curves are not available.")
        else:
            show_loss_chart(curves.value, shown, metric, axis=axis, baseline=reference)
        if len(names) > max_curves:
            st.caption(
                f"Curves of the first {max_curves} of {len(names)} rows. Select rows to see others."
            )
