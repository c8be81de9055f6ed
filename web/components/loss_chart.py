"""Loss chart of a page: the curves of some experiments, with notes about what is missing."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from web.charts.loss_curves import experiments_above, loss_curves, spans_decade
from web.charts.smoothing import MAX_SMOOTHING
from web.formatting import escape_markdown, join_names, pluralize
from web.shared_values import choice, number
from web.tables.run_names import shorten_names, usual_prefix

# Metrics with curves in the database, and their titles.
METRICS = {"loss": "Training loss", "validation_loss": "Validation loss"}
HEIGHT_PIXELS = 460
AUTO, LINEAR, LOG = "auto", "linear", "log"
# Parameter of links of earlier versions: ?log=true
OLD_LOG = "log"
# Choices of the pages with loss curves
CURVE = choice("curve", "loss", METRICS)
AXIS = choice(
    "axis",
    AUTO,
    {axis: axis for axis in (AUTO, LINEAR, LOG)},
    old={OLD_LOG: {"true": LOG, "false": LINEAR}},
)
SMOOTHING = number("s", 0.0, 0.0, MAX_SMOOTHING)
X_AXES = {"step": "steps", "relative": "percent of each run"}


def pick_metric() -> str:
    """Show the choice of the metric and return its key."""
    st.segmented_control(
        "Curve",
        list(METRICS),
        default=CURVE.value,
        required=True,
        format_func=METRICS.__getitem__,
        key=CURVE.key,
        on_change=CURVE.take_from_widget,
    )
    return CURVE.value


def pick_axis() -> str:
    """Show the choice of the value axis and return AUTO, LINEAR or LOG."""
    st.segmented_control(
        "Loss axis",
        [AUTO, LINEAR, LOG],
        default=AXIS.value,
        required=True,
        key=AXIS.key,
        on_change=AXIS.take_from_widget,
        help="`auto` is a log axis if the values differ by more than a factor of ten.",
    )
    return AXIS.value


def pick_smoothing() -> float:
    """Show the choice of the smoothing and return its weight from 0 to 0.99."""
    st.slider(
        "Smoothing",
        0.0,
        MAX_SMOOTHING,
        SMOOTHING.value,
        0.01,
        key=SMOOTHING.key,
        on_change=SMOOTHING.take_from_widget,
        width=220,
        help="Weight of the debiased moving average. The raw line stays faint behind.",
    )
    return SMOOTHING.value


def show_loss_chart(
    curves: pd.DataFrame,
    names: Sequence[str],
    metric: str,
    *,
    axis: str,
    smoothing: float = 0.0,
    x: Literal["step", "relative"] = "step",
    baseline: str | None = None,
) -> None:
    """Show a chart with one line per experiment.

    Args:
        curves: see queries.read_curves.
        names: the experiments, in the order of the legend.
        metric: a key of METRICS.
        axis: AUTO, LINEAR or LOG.
        smoothing: weight from 0 to 0.99.
        x: training steps, or percent of the run.
        baseline: experiment with a wide line.

    """
    title = METRICS[metric]
    curves = curves[curves["experiment"].isin(names)]
    option = loss_curves(
        curves,
        names,
        log=axis == LOG or (axis == AUTO and spans_decade(curves)),
        metric=title.lower(),
        dark=st.context.theme.type == "dark",
        labels=shorten_names(names),
        smoothing=smoothing,
        x=x,
        baseline=baseline,
    )
    present = set(curves["experiment"])
    drawn = [name for name in names if name in present][: len(option["legend"]["data"])]
    if not drawn:
        st.info(f"None of these experiments has a {title.lower()} curve.")
        return
    smoothed = f", smoothed by {smoothing:.2f}" if smoothing else ""
    st.echarts_chart(
        option,
        height=HEIGHT_PIXELS,
        alt=f"{title} over {X_AXES[x]}{smoothed}, one line for each of"
        f" {pluralize(len(drawn), 'experiment')}",
    )
    is_drawn = curves["experiment"].isin(drawn)
    if above := experiments_above(curves[is_drawn], option["yAxis"].get("max")):
        st.caption(f"Partly above the chart: {join_names(above)}. Hover for the values.")
    if without := [name for name in names if name not in present]:
        st.caption(f"Without a {title.lower()} curve: {join_names(without)}.")
    if len(names) - len(without) > len(drawn):
        st.caption(f"The chart shows {len(drawn)} of {len(names)} experiments.")
    show_prefix(names)


def show_prefix(names: Sequence[str]) -> None:
    """Show the prefix that the short names of these experiments leave out, if there is one."""
    if prefix := usual_prefix(names):
        st.caption(f"Names are shown without {escape_markdown(prefix)}.")
