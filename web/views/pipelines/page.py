"""Pipelines page: tabs for runs, data, labeling and schedules."""

import streamlit as st

from web.link_values import check_options
from web.sources import Sources
from web.views.pipelines import data, labeling, runs, schedule, task_picker

# Key of the widget, which is also the URL parameter: ?tab=Data
TAB = "tab"
WIDGET_KEYS = (TAB, runs.RUN, task_picker.TASK)
RUNS, DATA, LABEL, SCHEDULE = "Runs", "Data", "Label", "Schedule"


def show(sources: Sources) -> None:
    """Draw the page. Only the open tab reads its data."""
    views = {
        RUNS: runs.show,
        DATA: data.show,
        LABEL: labeling.show,
        SCHEDULE: schedule.show,
    }
    check_options(TAB, views)
    tabs = st.tabs(list(views), key=TAB, on_change="rerun", bind="query-params")
    for tab, view in zip(tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                view(sources)
