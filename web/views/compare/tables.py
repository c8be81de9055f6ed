"""Result table and parameter table of the Compare page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from web.components.loss_chart import METRICS
from web.formatting import escape_markdown, pluralize
from web.link_values import check_flag
from web.tables.comparison import (
    collect_parameters,
    parameter_table,
    result_table,
    split_noise,
)
from web.tables.run_names import LINK_TEXT, shorten_names

DELTA = "\N{GREEK CAPITAL LETTER DELTA}"


def show_results(runs: pd.DataFrame, curves: pd.DataFrame, baseline: str, metric: str) -> None:
    """Show the results of each run with their changes against the baseline."""
    st.header("Results", anchor=False)
    title = METRICS[metric].lower()
    st.dataframe(
        result_table(runs, curves, baseline),
        hide_index=True,
        alt="Accuracy, best and last value of each experiment, with changes against the baseline",
        placeholder="\N{EN DASH}",
        column_config={
            "experiment": None,
            "run": st.column_config.LinkColumn(
                "Experiment",
                width=245,
                pinned=True,
                display_text=LINK_TEXT,
                help="Opens the page of the run.",
            ),
            "test_accuracy": st.column_config.NumberColumn("Test accuracy", format="%.2f %%"),
            "accuracy_change": st.column_config.NumberColumn(
                f"{DELTA} accuracy", format="%+.2f pp"
            ),
            "best": st.column_config.NumberColumn(f"Best {title}", format="%.4f"),
            "best_change": st.column_config.NumberColumn(f"{DELTA} best", format="%+.4f"),
            "best_step": st.column_config.NumberColumn("Best step", format="%d"),
            "last": st.column_config.NumberColumn(
                f"Last {title}", format="%.4f", help="Value at the last step."
            ),
            "last_change": st.column_config.NumberColumn(f"{DELTA} last", format="%+.4f"),
        },
    )
    other_tasks = (
        " Runs of other tasks are not comparable, so they have no change."
        if len(set(runs["task"])) > 1
        else ""
    )
    st.caption(
        f"{DELTA}: change against {escape_markdown(baseline)}, pp: percentage points.{other_tasks}"
    )


def show_parameters(runs: pd.DataFrame, baseline: str) -> None:
    """Show the parameters of the runs, by default only the different ones."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header("Parameters", anchor=False, width="content")
        check_flag("diff")
        only_differences = st.toggle(
            "Only differences", value=True, key="diff", bind="query-params"
        )
    parameters = collect_parameters(runs)
    table = parameter_table(parameters, baseline, only_differences=only_differences)
    settings, noise = split_noise(table)
    configs = _parameter_columns(list(parameters), baseline)
    if settings.empty:
        st.info("These experiments have the same parameters.", icon=":material/equal:")
    else:
        st.dataframe(
            settings, alt="Parameters in rows, experiments in columns", column_config=configs
        )
    total = len(parameter_table(parameters, baseline, only_differences=False))
    if only_differences and total > len(table):
        st.caption(f"{pluralize(total - len(table), 'parameter')} with equal values not shown.")
    if not noise.empty:
        with st.expander(f"Seeds and times ({len(noise)})"):
            st.dataframe(
                noise, alt="Seeds and times in rows, experiments in columns", column_config=configs
            )


def _parameter_columns(names: Sequence[str], baseline: str) -> dict[str, Any]:
    """Return the display of the columns: short names, with the full name as help."""
    short = shorten_names(names)
    return {
        "_index": st.column_config.TextColumn("Parameter", width=130),
        **{
            name: st.column_config.TextColumn(
                f"{short[name]} (baseline)" if name == baseline else short[name], help=name
            )
            for name in names
        },
    }
