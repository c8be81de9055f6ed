"""Compare: the chosen experiments side by side, their curves and what differs between them."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from web.charts import options
from web.components.experiment_picker import EXPERIMENTS, Selection
from web.data.stale_cache import CachedResult
from web.formatting import count, plain, some
from web.sources import Sources
from web.tables.comparison import MOST_SMOOTHING, parameter_table, parameters, result_table

METRICS = {"loss": "Training loss", "validation_loss": "Validation loss"}
AXES = {
    "step": "steps",
    "relative": "percent of each run",
}  # what stands in the URL, and what it means
# The keys of what is chosen here, and their names in the URL.
CHOICES = ("base", "curve", "s", "x", "log", "diff")
CHART_HEIGHT_PIXELS = 460
FEWEST = 2
TOP = 3


def show(sources: Sources, selection: Selection) -> None:
    """Draw the page."""
    if selection.unknown:
        st.warning(
            f"Not in the database: {some(selection.unknown)}.{' The others are compared.' if selection.names else ''}",
            icon=":material/help:",
        )
    if len(selection.names) < FEWEST:
        _show_too_few(sources, selection)
        return
    reading = sources.runs(selection.names)
    if reading.value is None:
        _show_no_database(sources, reading)
        return
    if reading.is_stale:
        st.warning(
            f"{reading.problem} What you see was read before that.",
            icon=":material/history:",
            title="Last known data",
        )
    runs = reading.value
    if len(runs) < FEWEST:  # they were chosen while the database was away, or have gone since
        _show_too_few(sources, selection)
        return
    names = list(runs["experiment"])
    baseline, metric = _show_controls(names)
    curves = _show_curves(sources, runs, metric)
    _show_results(runs, curves, baseline, metric)
    _show_parameters(runs, baseline)


def _show_no_database(sources: Sources, reading: CachedResult[pd.DataFrame]) -> None:
    st.error(
        f"{reading.problem} The page fills by itself once Postgres is back.",
        icon=":material/database_off:",
        title="No experiments to compare",
    )
    if st.button("Retry", icon=":material/refresh:"):
        sources.retry()
        st.rerun()


def _show_too_few(sources: Sources, selection: Selection) -> None:
    top = sources.top(TOP)
    st.info(
        f"{'One experiment is' if selection.names else 'No experiment is'} chosen. Choose {FEWEST} or more above, "
        "or tick rows on the Leaderboard and press *Compare*.",
        icon=":material/compare_arrows:",
        title="Compare what with what?",
    )
    if top.value is not None and len(top.value) >= FEWEST:
        st.button(
            f"Compare the top {len(top.value)}",
            icon=":material/trophy:",
            type="primary",
            on_click=st.session_state.__setitem__,
            args=(EXPERIMENTS, top.value),
            help="The most accurate of the task with the most experiments.",
        )
    elif top.value is None:
        st.caption(f"{top.problem}")


def _show_controls(names: Sequence[str]) -> tuple[str, str]:
    """Show what holds for the whole page, and return the baseline and the metric."""
    if "base" in st.session_state and st.session_state["base"] not in names:
        del st.session_state["base"]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        baseline = st.selectbox(
            "Baseline",
            names,
            key="base",
            bind="query-params",
            width=330,
            help="What the others are measured against: the changes in the tables below.",
        )
        metric = st.segmented_control(
            "Curve",
            list(METRICS),
            default="loss",
            required=True,
            format_func=METRICS.__getitem__,
            key="curve",
            bind="query-params",
        )
    return str(baseline), metric or "loss"


def _show_curves(sources: Sources, runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Show a chart for each task and the download, and return the curves, which are empty if they
    cannot be read.
    """
    st.subheader("Curves", anchor=False)
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="medium", key="curve_controls"
    ):
        smoothing = st.slider(
            "Smoothing",
            0.0,
            MOST_SMOOTHING,
            0.0,
            0.01,
            key="s",
            bind="query-params",
            width=220,
            help="Weight of the debiased moving average. The raw line stays, faint, behind.",
        )
        x = st.segmented_control(
            "Horizontal axis",
            list(AXES),
            default="step",
            required=True,
            key="x",
            bind="query-params",
            help="Steps as they are, or relative: in percent of each run's own.",
        )
        log = st.toggle("Log axis", key="log", bind="query-params")
    names = list(runs["experiment"])
    reading = sources.curves(metric, names)
    if reading.value is None:
        st.info(f"{reading.problem} These curves were not read before it went away.")
        return pd.DataFrame({"experiment": [], "step": [], "value": []})
    several = len(set(runs["task"])) > 1
    for task, group in runs.groupby("task", sort=False):
        if several:
            st.markdown(f"**{plain(str(task))}**")
        axis: Literal["step", "relative"] = "relative" if x == "relative" else "step"
        _show_chart(
            reading.value, list(group["experiment"]), metric, log=log, smoothing=smoothing, x=axis
        )
    curves = reading.value
    st.download_button(
        "Curves as CSV",
        data=lambda: curves.to_csv(index=False),
        file_name=f"{metric}_curves.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="All values as they were recorded: experiment, step, value. The chart's own menu has it as a PNG.",
    )
    return curves


def _show_chart(
    curves: pd.DataFrame,
    names: Sequence[str],
    metric: str,
    *,
    log: bool,
    smoothing: float,
    x: Literal["step", "relative"],
) -> None:
    option = options.loss_curves(
        curves, names, log=log, metric=METRICS[metric].lower(), smoothing=smoothing, x=x
    )
    drawn = option["legend"]["data"]
    if not drawn:
        st.info(f"None of these experiments has a {METRICS[metric].lower()} curve.")
        return
    smoothed = f", smoothed by {smoothing:.2f}" if smoothing else ""
    st.echarts_chart(
        option,
        height=CHART_HEIGHT_PIXELS,
        alt=f"{METRICS[metric]} over {AXES[x]}{smoothed}, one line for each of {count(len(drawn), 'experiment')}",
    )
    if above := options.beyond(
        curves[curves["experiment"].isin(drawn)], option["yAxis"].get("max")
    ):
        st.caption(
            f"Beyond the top of the chart in places: {some(above)}. The values are under the mouse."
        )
    without = [name for name in names if name not in set(curves["experiment"])]
    if without:
        st.caption(f"Without a {METRICS[metric].lower()} curve: {some(without)}.")
    if len(names) - len(without) > len(drawn):
        st.caption(
            f"The chart shows {len(drawn)} of {len(names)} experiments; the tables and the CSV have all."
        )


def _show_results(runs: pd.DataFrame, curves: pd.DataFrame, baseline: str, metric: str) -> None:
    st.subheader("Results", anchor=False)
    what = METRICS[metric].lower()
    st.dataframe(
        result_table(runs, curves, baseline),
        hide_index=True,
        alt="Accuracy, best and last value of each experiment, with the change against the baseline",
        placeholder="\N{EN DASH}",
        column_config={
            "experiment": st.column_config.TextColumn("Experiment", width=285, pinned=True),
            "test_accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f %%"),
            "accuracy_change": st.column_config.NumberColumn(
                "\N{GREEK CAPITAL LETTER DELTA} accuracy", format="%+.2f pp"
            ),
            "best": st.column_config.NumberColumn(
                "Best", format="%.4f", help=f"The lowest {what}."
            ),
            "best_change": st.column_config.NumberColumn(
                "\N{GREEK CAPITAL LETTER DELTA} best", format="%+.4f"
            ),
            "best_step": st.column_config.NumberColumn("at step", format="%d"),
            "last": st.column_config.NumberColumn(
                "Last", format="%.4f", help=f"The {what} at the last step."
            ),
            "last_change": st.column_config.NumberColumn(
                "\N{GREEK CAPITAL LETTER DELTA} last", format="%+.4f"
            ),
        },
    )
    several = (
        " Runs of another task than the baseline's have none." if len(set(runs["task"])) > 1 else ""
    )
    st.caption(
        f"\N{GREEK CAPITAL LETTER DELTA}: the change against {plain(baseline)}; pp are percentage points.{several}"
    )


def _show_parameters(runs: pd.DataFrame, baseline: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.subheader("Parameters", anchor=False, width="content")
        only = st.toggle("Only differences", value=True, key="diff", bind="query-params")
    settings = parameters(runs)
    table = parameter_table(settings, baseline, only_differences=only)
    if table.empty:
        st.info("These experiments have the same parameters.", icon=":material/equal:")
        return
    st.dataframe(
        table,
        alt="Parameters in rows, experiments in columns",
        column_config={
            "_index": st.column_config.TextColumn("Parameter", width=130),
            **{
                name: st.column_config.TextColumn(
                    f"{name} (baseline)" if name == baseline else name
                )
                for name in settings
            },
        },
    )
    same = len(parameter_table(settings, baseline, only_differences=False)) - len(table)
    if only and same:
        st.caption(
            f"{same} more {'parameter is' if same == 1 else 'parameters are'} the same in all."
        )
