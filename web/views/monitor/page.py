"""Monitor page: drift by task, evidence, features, accuracy, latency and alerts."""

from collections.abc import Callable, Hashable, Sequence

import streamlit as st

from web.components.error_boundary import error_boundary
from web.components.outage import show_database_down, show_stale_data
from web.data.monitoring.types import MonitorState
from web.formatting import format_age
from web.sources import Sources
from web.tables.monitoring.sentences import START_MONITOR
from web.views.monitor.accuracy import show_accuracy
from web.views.monitor.alerts import show_alerts
from web.views.monitor.choice import DAYS, FEATURE, TASK, VERSION, Choice, choose
from web.views.monitor.evidence import show_evidence
from web.views.monitor.features import show_features
from web.views.monitor.latency import show_latency
from web.views.monitor.report import show_report
from web.views.monitor.skew import show_skew
from web.views.monitor.tasks import show_tasks

WIDGET_KEYS = (TASK, DAYS, VERSION, FEATURE)
# Pause between two looks for a change, which draws the page again.
WATCH_SECONDS = 1.0
# Pause between two refreshes of a section.
EVIDENCE_SECONDS, SECTION_SECONDS = 3.0, 10.0
# Session key of the state that the page shows.
_SHOWN = "monitor_state"

Section = Callable[[Sources, Choice], None]


def show(sources: Sources) -> None:
    """Draw the page. Each section refreshes on its own, so that no refresh touches a form."""
    result = sources.monitoring.state()
    state = result.value
    if state is None:
        show_database_down(result.problem, sources.retry, title="No monitoring to show")
        return
    # Always there, so that a message moves no form that is open.
    with st.container():
        if result.is_stale:
            show_stale_data(result.problem)
        elif not state.is_alive:
            _show_no_monitor(state)
    st.session_state[_SHOWN] = _signature(state)
    if not state.tasks:
        st.info(
            "Add a model to `models/`, then send images to the API. The page fills by itself.",
            icon=":material/monitoring:",
            title="Nothing to monitor yet",
        )
    else:
        _show_sections(sources, state)
    st.fragment(_watch, run_every=WATCH_SECONDS)(sources)


def _show_sections(sources: Sources, state: MonitorState) -> None:
    show_tasks(sources, state)
    choice = choose(state)
    sections: Sequence[tuple[str, Section, float]] = (
        ("Evidence", show_evidence, EVIDENCE_SECONDS),
        ("Features", show_features, SECTION_SECONDS),
        ("Accuracy", show_accuracy, SECTION_SECONDS),
        ("Latency and errors", show_latency, SECTION_SECONDS),
        ("Alerts", show_alerts, EVIDENCE_SECONDS),
        ("Training-serving skew", show_skew, SECTION_SECONDS),
    )
    for title, section, seconds in sections:
        st.header(title, anchor=False)
        st.fragment(_show_section, run_every=seconds)(sources, choice, title, section)
    show_report(sources, choice)


def _show_section(sources: Sources, choice: Choice, title: str, section: Section) -> None:
    with error_boundary(f"The section {title}"):
        section(sources, choice)


def _show_no_monitor(state: MonitorState) -> None:
    seen = state.seen_seconds
    last = "" if seen is None else f" The last one was seen {format_age(seen)}."
    st.warning(f"{START_MONITOR}{last}", icon=":material/monitor_heart:", title="No monitor runs")


def _signature(state: MonitorState) -> Hashable:
    """Return the values whose change draws the page again. Counts of images are not among them."""
    return (
        state.is_alive,
        state.tasks,
        tuple(sorted(state.champions.items())),
        tuple((one.id, one.severity, one.families, one.features) for one in state.alerts),
        tuple((one.id, one.state) for one in state.detectors),
        state.requests,
    )


def _watch(sources: Sources) -> None:
    """Draw the page again when an alert, a request or the monitor comes or goes."""
    result = sources.monitoring.state()
    if result.value is None or result.is_stale:
        return
    if _signature(result.value) != st.session_state.get(_SHOWN):
        st.rerun()
