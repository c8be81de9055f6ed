"""Task picker of the Pipelines page, shown if there are several tasks."""

from collections import Counter

import streamlit as st

from web.link_values import check_options
from web.sources import Sources

# The widget's key, which is also the URL parameter.
TASK = "of"
DEFAULT_TASK = "mnist"


def pick_task(sources: Sources) -> str:
    """Return the chosen task. The default is the one with the most experiments."""
    snapshot = sources.snapshot().value
    tasks = [] if snapshot is None else list(snapshot.task_of.values())
    options = [task for task, _ in Counter(tasks).most_common()] or [DEFAULT_TASK]
    check_options(TASK, options, empty=options[0])
    if st.session_state.get(TASK) not in (None, *options):
        del st.session_state[TASK]
    if len(options) == 1:
        return options[0]
    return str(st.selectbox("Task", options, key=TASK, bind="query-params", width=160))
