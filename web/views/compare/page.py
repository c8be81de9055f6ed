"""Compare page: curves of the selected experiments, then their results and parameters."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from web.components.baseline import BASELINE, pick_baseline, pinned_baseline
from web.components.experiment_picker import EXPERIMENTS, Selection
from web.components.loss_chart import (
    AXIS,
    CURVE,
    SMOOTHING,
    X_AXES,
    pick_axis,
    pick_metric,
    pick_smoothing,
    show_loss_chart,
)
from web.components.outage import show_database_down, show_stale_data
from web.formatting import escape_markdown, join_names
from web.link_values import check_options
from web.sources import Sources
from web.views.compare.tables import show_parameters, show_results

# The widgets' keys, which are also the URL parameters.
WIDGET_KEYS = ("x", "diff")
SHARED_VALUES = (BASELINE, CURVE, SMOOTHING, AXIS)
MIN_EXPERIMENTS = 2
TOP = 3


def show(sources: Sources, selection: Selection) -> None:
    """Draw the page."""
    if selection.unknown:
        st.warning(f"Not in the database: {join_names(selection.unknown)}.", icon=":material/help:")
    pinned = pinned_baseline()
    names = list(dict.fromkeys([*([] if pinned is None else [pinned]), *selection.names]))
    if len(names) < MIN_EXPERIMENTS:
        _show_too_few(sources, selection)
        return
    result = sources.runs(names)
    if result.value is None:
        show_database_down(result.problem, sources.retry, title="No experiments to compare")
        return
    if result.is_stale:
        show_stale_data(result.problem)
    runs = result.value
    if pinned is not None and pinned not in set(runs["experiment"]):
        st.warning(f"The baseline is not in the database: {escape_markdown(pinned)}.")
    if len(runs) < MIN_EXPERIMENTS:  # picked during an outage, or removed since
        _show_too_few(sources, selection)
        return
    baseline, metric = _show_controls(list(runs["experiment"]))
    curves = _show_curves(sources, runs, metric, baseline)
    show_results(runs, curves, baseline, metric)
    show_parameters(runs, baseline)


def _show_too_few(sources: Sources, selection: Selection) -> None:
    top = sources.top_experiments(TOP)
    count = "Only one experiment is" if selection.names else "No experiments are"
    st.info(
        f"{count} selected. Pick {MIN_EXPERIMENTS} or more above, or select rows on the"
        " Leaderboard and click *Compare*.",
        icon=":material/compare_arrows:",
        title="Select experiments to compare",
    )
    if top.value is not None and len(top.value) >= MIN_EXPERIMENTS:
        st.button(
            f"Compare the top {len(top.value)}",
            icon=":material/trophy:",
            type="primary",
            on_click=EXPERIMENTS.set,
            args=(tuple(top.value),),
            help="The most accurate experiments of the largest task.",
        )
    elif top.value is None:
        st.caption(f"{top.problem}")


def _show_controls(names: Sequence[str]) -> tuple[str, str]:
    """Show the controls of the whole page, and return the baseline and the metric."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        baseline = pick_baseline(names, f"{names[0]} (the first)", width=330)
        metric = pick_metric()
    return baseline if baseline is not None and baseline in names else names[0], metric


def _show_curves(sources: Sources, runs: pd.DataFrame, metric: str, baseline: str) -> pd.DataFrame:
    """Show one chart per task and the download. Return the curves, empty if unavailable."""
    st.header("Curves", anchor=False)
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="medium", key="curve_controls"
    ):
        smoothing = pick_smoothing()
        check_options("x", X_AXES)
        x = st.segmented_control(
            "Horizontal axis",
            list(X_AXES),
            default="step",
            required=True,
            key="x",
            bind="query-params",
            help="Training steps, or percent of each run.",
        )
        value_axis = pick_axis()
    result = sources.curves(metric, list(runs["experiment"]))
    if result.value is None:
        st.info(f"{result.problem} The curves are not available.")
        return pd.DataFrame({"experiment": [], "step": [], "value": []})
    curves = result.value
    axis: Literal["step", "relative"] = "relative" if x == "relative" else "step"
    has_several_tasks = len(set(runs["task"])) > 1
    for task, group in runs.groupby("task", sort=False):
        if has_several_tasks:
            st.markdown(f"**{escape_markdown(str(task))}**")
        names = list(group["experiment"])
        show_loss_chart(
            curves, names, metric, axis=value_axis, smoothing=smoothing, x=axis, baseline=baseline
        )
    st.download_button(
        "Curves as CSV",
        data=lambda: curves.to_csv(index=False),
        file_name=f"{metric}_curves.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="All recorded values: experiment, step, value. The chart's menu has a PNG.",
    )
    return curves
