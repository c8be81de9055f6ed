"""Curves and results of the Run page. They refresh each second while the run trains."""

import streamlit as st

from web.charts.run_colors import run_color
from web.charts.tracking.metric_lines import (
    LOSS,
    MetricGroup,
    group_curves,
    metric_lines,
    spans_decades,
    title_of,
)
from web.components.loss_chart import AUTO, AXIS, LOG, SMOOTHING, pick_axis, pick_smoothing
from web.data.tracking.types import Run
from web.formatting import join_names, pluralize
from web.sources import Sources
from web.tables.tracking.run_facts import result_table
from web.views.run.facts import show_state

SHARED_VALUES = (SMOOTHING, AXIS)
LIVE_SECONDS = 1.0
MAIN_HEIGHT_PIXELS, SMALL_HEIGHT_PIXELS = 380, 240
SMALL_COLUMNS = 3


def show_curves(sources: Sources, run: Run) -> None:
    """Show state, curves and results."""
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="medium", key="curve_controls"
    ):
        smoothing = pick_smoothing()
        axis = pick_axis()
    st.fragment(_show_live, run_every=LIVE_SECONDS if run.is_running else None)(
        sources, run.run_id, is_live=run.is_running, axis=axis, smoothing=smoothing
    )


def _show_live(
    sources: Sources, run_id: str, *, is_live: bool, axis: str, smoothing: float
) -> None:
    """Show what changes while the run trains. Its end draws the page again, without refresh."""
    run = sources.tracking.run(run_id=run_id).value
    if run is None:
        return
    if is_live and not run.is_running:
        st.rerun()
    with st.container(key="run_live"):
        show_state(run)
        _show_results(sources, run, axis=axis, smoothing=smoothing)


def _show_results(sources: Sources, run: Run, *, axis: str, smoothing: float) -> None:
    result = sources.tracking.curves(run.id)
    if result.value is None:
        st.info(f"{result.problem} The curves are not available.")
        return
    groups = group_curves(result.value.curves)
    if not groups:
        st.caption(
            "No points yet. The curves appear with the first one."
            if run.is_running
            else "The run has no curves."
        )
    for group in groups:
        if group.is_main:
            _show_chart(run.name, group, axis=axis, smoothing=smoothing)
    small = [group for group in groups if not group.is_main]
    if small:
        columns = st.columns(min(SMALL_COLUMNS, len(small)))
        for number, group in enumerate(small):
            with columns[number % len(columns)]:
                _show_chart(run.name, group, axis=axis, smoothing=smoothing)
    table = result_table(run.metrics, result.value.summaries)
    if not table.empty:
        st.subheader("Results", anchor=False)
        st.dataframe(
            table,
            hide_index=True,
            alt="Last and best value of each metric",
            placeholder="\N{EN DASH}",
            column_config={
                "metric": st.column_config.TextColumn("Metric", width=200),
                "last": st.column_config.NumberColumn("Last", format="%.4f"),
                "best": st.column_config.NumberColumn("Best", format="%.4f"),
                "best_step": st.column_config.NumberColumn("Best step", format="%d"),
                "points": st.column_config.NumberColumn("Points", format="%d"),
            },
        )


def _show_chart(name: str, group: MetricGroup, *, axis: str, smoothing: float) -> None:
    is_log = group.quantity == LOSS and (axis == LOG or (axis == AUTO and spans_decades(group)))
    names = [title_of(curve.metric) for curve in group.curves]
    points = sum(len(curve.steps) for curve in group.curves)
    smoothed = f", smoothed by {smoothing:.2f}" if smoothing else ""
    st.echarts_chart(
        metric_lines(
            group,
            log=is_log,
            smoothing=smoothing,
            color=run_color(name, dark=st.context.theme.type == "dark"),
        ),
        height=MAIN_HEIGHT_PIXELS if group.is_main else SMALL_HEIGHT_PIXELS,
        alt=f"{join_names(names)} over steps, {pluralize(points, 'point')}{smoothed}",
    )
