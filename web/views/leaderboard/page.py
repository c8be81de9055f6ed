"""Leaderboard page: filtered, sorted and paged by Postgres."""

from collections.abc import Mapping, Sequence

import streamlit as st

from web.components.baseline import BASELINE
from web.components.experiment_picker import EXPERIMENTS, Selection
from web.components.loss_chart import AXIS, CURVE
from web.components.outage import show_database_down, show_stale_data
from web.data.api_types import Model
from web.data.filter_tokens import FilterError
from web.data.leaderboard_queries import TaskSummary
from web.formatting import (
    RESTART_HINT,
    escape_markdown,
    format_percent,
    join_names,
    pluralize,
)
from web.sources import Sources
from web.tables.leaderboard_table import count_serving
from web.tables.run_names import markdown_link
from web.views.leaderboard import filter_bar
from web.views.leaderboard.board import Board, requested_page, show_board
from web.views.leaderboard.charts import CHART_KEYS
from web.views.leaderboard.display import DISPLAY_KEYS
from web.views.leaderboard.experiment_table import PAGE
from web.views.leaderboard.groups import GROUP_KEYS
from web.views.leaderboard.live import watch_runs

# The widgets' keys, which are also the URL parameters:
# ?filter=lr+<+0.1&sort=momentum&down=false&page=2&view=Scatter&columns=momentum
WIDGET_KEYS = (
    *filter_bar.FILTER_KEYS,
    *DISPLAY_KEYS,
    *GROUP_KEYS,
    *CHART_KEYS,
    PAGE,
)
SHARED_VALUES = (BASELINE, CURVE, AXIS)


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
    is_picked = bool(EXPERIMENTS.value)
    if is_picked and not selection.names:
        st.info("None of the picked experiments exists. Clear the selection to see all.")
        return
    summary_area = st.container()
    try:
        query = filter_bar.show_filter_bar(selection, keys.value, is_picked=is_picked)
    except FilterError as error:
        filter_bar.show_filter_error(error, keys.value)
        return
    revision = sources.board.revision().value
    result = sources.leaderboard(query, requested_page(), revision)
    if result.value is None:
        _show_database_down(sources, result.problem)
        return
    served = None if models.problem else models.value
    with summary_area:
        _show_summaries(result.value.task_summaries, selection, snapshot.value.task_of, served)
    show_board(sources, Board(query, keys.value, served, links), revision)
    watch_runs(sources, revision)


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
