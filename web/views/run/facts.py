"""Heading and parameters of the Run page."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from web.data.tracking.types import Run
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.tracking.run_facts import Badge, fact_badges, parameter_table, state_badges


def show_facts(sources: Sources, run: Run) -> None:
    """Show the name and what stays as it is. The state is in the live part."""
    del sources
    st.header(escape_markdown(run.name), anchor=False)
    show_badges(fact_badges(run))
    if run.started_at is not None:
        started = f"Started {run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        st.caption(f"{started} \N{MIDDLE DOT} run id `{run.run_id}`")
    else:
        st.caption(f"Imported {run.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def show_state(run: Run) -> None:
    """Show the state of a run, its duration, and the time since its last point."""
    show_badges(state_badges(run, datetime.now(UTC)))


def show_badges(badges: Sequence[Badge]) -> None:
    """Show badges in a row that wraps."""
    with st.container(horizontal=True, gap="small"):
        for badge in badges:
            st.badge(
                escape_markdown(badge.text), icon=badge.icon, color=badge.color, help=badge.help
            )


def show_parameters(sources: Sources, run: Run) -> None:
    """Show the parameters as a table."""
    del sources
    table = parameter_table(run)
    if table.empty:
        st.caption("The training code logged no parameters.")
        return
    st.dataframe(
        table,
        hide_index=True,
        alt="Parameters of the run with their values",
        column_config={
            "parameter": st.column_config.TextColumn("Parameter", width=180),
            "value": st.column_config.TextColumn("Value", width=240),
        },
    )
