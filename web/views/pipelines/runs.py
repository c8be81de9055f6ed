"""Runs of the Pipelines page: the list, the choice of a run, and its live details."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime

import streamlit as st

from web.components.outage import (
    has_worker,
    show_database_down,
    show_missing_worker,
    show_stale_data,
)
from web.components.run_column import run_column, with_run_links
from web.data.learning.types import Run, RunList
from web.formatting import pluralize
from web.sources import Sources
from web.tables.pipeline_runs import run_table
from web.views.pipelines.retrain import show_retrain
from web.views.pipelines.run import run_state, show_run

# Key of the widget, which is also the URL parameter: ?run=20
RUN = "run"
# Runs per click on "Show more"
STEP = 20
LIVE_SECONDS, IDLE_SECONDS = 1.0, 5.0
# Session keys: number of rows, and the states that the page shows.
_SHOWN, _STATES = "shown_runs", "run_states"
_STATE_COLORS = {
    "Queued": "gray",
    "Running": "blue",
    "Succeeded": "green",
    "Failed": "red",
    "Canceled": "orange",
}
_VERDICT_COLORS = {
    "Promoted": "green",
    "Promote": "green",
    "Refuse": "red",
    "Undecided": "yellow",
    "Rolled back": "orange",
}


def show(sources: Sources) -> None:
    """Draw the tab."""
    limit = int(st.session_state.get(_SHOWN, STEP))
    result = sources.learning.runs(limit)
    if result.value is None:
        show_database_down(result.problem, sources.retry, title="No runs to show")
        return
    listed = result.value
    # Always there, so that a message moves no form that is open.
    with st.container():
        if result.is_stale:
            show_stale_data(result.problem)
        waiting = "Open runs wait for it." if listed.has_open_run else ""
        show_missing_worker(listed, waiting=waiting)
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        opened = sum(run.is_open for run in listed.runs)
        st.markdown(
            f"**{pluralize(listed.total, 'run')}**"
            + (f" \N{MIDDLE DOT} **{opened}** open" if opened else ""),
            width="content",
        )
        show_retrain(sources)
    chosen, drawn = None, None
    if not listed.runs:
        st.info(
            "Press *Retrain* to train an experiment on the newest labels. The candidate is compared"
            " with the champion on the same images, and the verdict is stored.",
            icon=":material/account_tree:",
            title="No runs yet",
        )
    else:
        _show_list(listed)
        chosen = _choose(listed.runs)
        if chosen is not None:
            drawn = show_run(sources, chosen, LIVE_SECONDS)
    st.session_state[_STATES] = (_states(listed), drawn)
    is_live = listed.has_open_run and not result.is_stale
    refresh = st.fragment(_watch, run_every=LIVE_SECONDS if is_live else IDLE_SECONDS)
    refresh(sources, limit, chosen)


def _show_list(listed: RunList) -> None:
    runs = listed.runs

    def select() -> None:
        rows = st.session_state["run_table"]["selection"]["rows"]
        if rows:
            st.session_state[RUN] = str(runs[rows[0]].id)

    st.dataframe(
        with_run_links(run_table(runs, datetime.now(UTC)), "experiment"),
        hide_index=True,
        alt="Runs with state, verdict, gain, trigger, author and dataset, newest first",
        placeholder="\N{EN DASH}",
        key="run_table",
        on_select=select,
        selection_mode="single-row",
        column_config={
            "run": st.column_config.NumberColumn("Run", format="%d", width=45),
            "state": st.column_config.MultiselectColumn(
                "State", options=list(_STATE_COLORS), color=list(_STATE_COLORS.values()), width=95
            ),
            "verdict": st.column_config.MultiselectColumn(
                "Verdict",
                options=list(_VERDICT_COLORS),
                color=list(_VERDICT_COLORS.values()),
                width=100,
            ),
            "gain": st.column_config.TextColumn(
                "Gain, points",
                width=145,
                help="Accuracy of the candidate minus that of the champion, on the images that"
                " decide, with its lower 95 % bound.",
            ),
            "experiment": run_column("Experiment", width=188),
            "trigger": st.column_config.TextColumn(
                "Trigger", width=132, help="Later triggers join an open run."
            ),
            "by": st.column_config.TextColumn("By", width=80),
            "dataset": st.column_config.TextColumn("Dataset", width=126),
            "started": st.column_config.TextColumn("Started", width=85),
            "took": st.column_config.TextColumn("Took", width=90),
        },
    )
    if listed.total > len(runs):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"The newest {len(runs):,} of {pluralize(listed.total, 'run')}.")
            if st.button(f"Show {min(STEP, listed.total - len(runs))} more"):
                st.session_state[_SHOWN] = len(runs) + STEP
                st.rerun()


def _choose(runs: Sequence[Run]) -> int | None:
    """Show the choice of a run and return its number. A link may name an older or unknown one."""
    requested = (st.query_params.get(RUN), st.session_state.get(RUN))
    options = list(
        dict.fromkeys([*(str(run.id) for run in runs), *(str(one) for one in requested if one)])
    )
    chosen = st.selectbox(
        "Run",
        options,
        key=RUN,
        bind="query-params",
        width=160,
        help="Or click a row of the table.",
    )
    if not str(chosen).isdecimal():
        st.warning("Unknown run. Choose another one.", icon=":material/help:")
        return None
    return int(str(chosen))


def _states(listed: RunList) -> Hashable:
    """Return the values whose change reruns the page."""
    return (
        listed.total,
        has_worker(listed),
        tuple(
            (run.id, run.state, run.verdict, run.is_champion, run.cancel_requested_at is None)
            for run in listed.runs
        ),
    )


def _watch(sources: Sources, limit: int, chosen: int | None) -> None:
    """Rerun the page when a run starts, ends or gets a verdict.

    The list and the chosen run are two reads, so both are compared with what the page shows.
    """
    result = sources.learning.runs(limit)
    if result.value is None or result.is_stale:
        return
    state = None if chosen is None else run_state(sources.learning.run(chosen).value)
    if (_states(result.value), state) != st.session_state.get(_STATES):
        st.rerun()
