"""Filters of the page History. The URL restores them."""

from collections.abc import Sequence

import streamlit as st

from web.data.tracking.history_types import Choices, HistoryFilter
from web.link_values import check_date, check_flag, check_options
from web.sources import Sources
from web.tables.tracking.history_address import (
    BELOW,
    EXPERIMENT,
    FILTER_KEYS,
    KINDS,
    LABEL,
    ONCE,
    ONLY,
    PROGRAM,
    SINCE,
    TASK,
    THRESHOLDS,
    TRUE_LABEL,
    UNTIL,
    parse_filter,
)

NO_CHOICES = Choices({}, {}, ())
# Filters that do not limit the predictions.
KEPT = (TASK, ONCE)


def pick_filter(sources: Sources) -> HistoryFilter:
    """Show the widgets and return the filter."""
    choices = sources.tracking.choices().value or NO_CHOICES
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key="history_filters"
    ):
        task = _pick_task(choices)
        tasks = list(choices.versions) if task is None else [task]
        names: dict[str, None] = {}
        for one in tasks:
            for name, version in choices.versions.get(one, ()):
                names[name] = None
                names[f"{name}@{version}"] = None
        labels = list(
            dict.fromkeys(label for one in tasks for label in choices.classes.get(one, ()))
        )
        _pick("Experiment or version", EXPERIMENT, list(names), 250)
        _pick("Predicted", LABEL, labels, 110)
        _pick("Correct label", TRUE_LABEL, labels, 125)
        check_options(BELOW, THRESHOLDS, empty="any confidence")
        st.selectbox(
            "Confidence below (%)",
            THRESHOLDS,
            index=None,
            key=BELOW,
            bind="query-params",
            width=165,
            placeholder="Any",
        )
        check_date(SINCE, empty="any day")
        check_date(UNTIL, empty="any day")
        st.date_input("From", None, key=SINCE, bind="query-params", width=130, format="YYYY-MM-DD")
        st.date_input("To", None, key=UNTIL, bind="query-params", width=130, format="YYYY-MM-DD")
        _pick("Source program", PROGRAM, choices.sources, 170, is_open=True)
        check_options(ONLY, KINDS, empty="all predictions")
        check_flag(ONCE)
        st.pills(
            "Only",
            KINDS,
            selection_mode="multi",
            key=ONLY,
            bind="query-params",
        )
        st.toggle(
            "Each image once",
            value=True,
            key=ONCE,
            bind="query-params",
            help="The most confident matching answer to an image, not one for each model.",
        )
    values = {key: st.session_state.get(key) for key in FILTER_KEYS}
    return parse_filter({**values, TASK: task})


def reset_filters() -> None:
    """Clear all filters but the task."""
    for key in FILTER_KEYS:
        if key not in KEPT:
            st.session_state[key] = [] if key == ONLY else None


def _pick_task(choices: Choices) -> str | None:
    """Show the choice of the task if there are several, and return it. None for the only one."""
    tasks = sorted(choices.versions)
    check_options(TASK, tasks, empty=tasks[0] if tasks else "all predictions")
    if len(tasks) < 2:  # noqa: PLR2004
        return None
    if st.session_state.get(TASK) not in (None, *tasks):
        del st.session_state[TASK]
    return st.selectbox("Task", tasks, key=TASK, bind="query-params", width=130)


def _pick(
    label: str,
    key: str,
    known: Sequence[str],
    width: int,
    *,
    is_open: bool = False,
) -> None:
    """Show a choice without a default. A value of the URL is an option even if it is unknown."""
    requested = (st.query_params.get(key), st.session_state.get(key))
    options = list(dict.fromkeys([*known, *(str(one) for one in requested if one)]))
    st.selectbox(
        label,
        options,
        index=None,
        key=key,
        bind="query-params",
        width=width,
        placeholder="Any",
        accept_new_options=is_open,
        help="Program that sent the image first, by its User-Agent." if is_open else None,
    )
