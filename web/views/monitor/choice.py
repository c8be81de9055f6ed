"""Choice of task, window and version on the Monitor page. The URL restores it."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from web.data.monitoring.types import Alert, Detector, MonitorState
from web.link_values import check_options

# Keys of the widgets, which are also the URL parameters: /monitor?task=mnist&days=1
TASK, DAYS, VERSION, FEATURE = "task", "days", "version", "feature"
WINDOWS = ("1", "7", "30", "90")


@dataclass(frozen=True)
class Choice:
    """What the sections show.

    Attributes:
        task: chosen task.
        days: length of the window.
        version: pinned name of the chosen version, None without a watched version.
        state: of the monitor.

    """

    task: str
    days: int
    version: str | None
    state: MonitorState

    @property
    def detectors(self) -> Sequence[Detector]:
        """Detectors of the version."""
        own = self.state.of_task(self.task)
        return [one for one in own if one.pinned_name == self.version]

    @property
    def alerts(self) -> Sequence[Alert]:
        """Open alerts of the task."""
        return self.state.alerts_of(self.task)


def choose(state: MonitorState) -> Choice:
    """Show the choice and return it."""
    # An alert is what a reader comes for, so the default is a task that has one.
    by_alerts = sorted(state.tasks, key=lambda task: not state.alerts_of(task))
    check_options(TASK, by_alerts)
    check_options(DAYS, WINDOWS)
    _forget_unknown(TASK, by_alerts)
    _forget_unknown(DAYS, WINDOWS)
    with st.container(horizontal=True, vertical_alignment="bottom", key="monitor_choice"):
        task = str(st.selectbox("Task", by_alerts, key=TASK, bind="query-params", width=160))
        days = st.selectbox("Days", WINDOWS, key=DAYS, bind="query-params", width=90)
        version = _choose_version(state, task)
    return Choice(task, int(days or 1), version, state)


def _choose_version(state: MonitorState, task: str) -> str | None:
    """Show the choice of a watched version. The champion comes first."""
    champion = state.champions.get(task)
    names = list(dict.fromkeys(one.pinned_name for one in state.of_task(task)))
    names.sort(key=lambda name: (name != champion, name))
    _forget_unknown(VERSION, names)
    if not names:
        return None

    def describe(name: str) -> str:
        return f"{name} (champion)" if name == champion else name

    check_options(VERSION, names, describe)
    return str(
        st.selectbox(
            "Version",
            names,
            format_func=describe,
            key=VERSION,
            bind="query-params",
            width=480,
            help="Inputs and novelty are examined through the champion, confidence and labels for"
            " each watched version.",
        )
    )


def _forget_unknown(key: str, options: Sequence[str]) -> None:
    if st.session_state.get(key) not in (None, *options):
        del st.session_state[key]
