"""Run page: an experiment with its curves, note, models, lineage, predictions and artifacts."""

from collections.abc import Callable

import streamlit as st

from web.components.error_boundary import error_boundary
from web.components.frame.early_reads import read_early
from web.components.outage import show_database_down, show_stale_data
from web.data.tracking.types import Run
from web.formatting import escape_markdown, join_names
from web.sources import Sources
from web.tables.run_names import markdown_link
from web.tables.tracking.run_facts import similar_names
from web.views.run import curves
from web.views.run.artifacts import show_artifacts
from web.views.run.code import show_code
from web.views.run.facts import show_facts, show_parameters
from web.views.run.lineage import show_lineage
from web.views.run.models import show_models
from web.views.run.notes import show_notes
from web.views.run.predictions import show_recent

# URL parameters: /run?name=NAME or /run?id=RUN_ID. The first is the key of the widget, too.
NAME, RUN_ID = "name", "id"
WIDGET_KEYS = (NAME,)
SHARED_VALUES = curves.SHARED_VALUES
# The browser prepares the whole list before it draws the page: 1,000 options delay the curves by
# about 0.1 s. Other names are typed.
MAX_OPTIONS = 200
# Session key of the name in the last link.
_LINKED = "run_linked"

Section = Callable[[Sources, Run], None]


def start_reading(sources: Sources) -> None:
    """Start to read the run of the URL, before the frame is drawn."""
    name = st.query_params.get(NAME)

    def read() -> None:
        found = sources.tracking.run(name=name).value
        if found is not None:
            sources.tracking.curves(found.id)
            sources.tracking.lineage(found.name, found.task)

    if name:
        read_early(read)


def show(sources: Sources) -> None:
    """Draw the page."""
    if not _resolve_run_id(sources):
        return
    name = _pick_name(sources)
    if name is None:
        st.info(
            "Choose an experiment, or click its name on any page.",
            icon=":material/show_chart:",
            title="No run selected",
        )
        return
    result = sources.tracking.run(name=name)
    if result.value is None and result.problem is not None:
        show_database_down(result.problem, sources.retry, title="No run to show")
    elif result.value is None:
        _show_unknown(sources, name)
    else:
        with st.container():  # always there, so that a message moves no field
            if result.is_stale:
                show_stale_data(result.problem)
        _show_run(sources, result.value, name)


def _resolve_run_id(sources: Sources) -> bool:
    """Replace a run_id in the URL by the name of its run. Return whether the page can go on."""
    run_id = st.query_params.get(RUN_ID)
    if not run_id:
        return True
    result = sources.tracking.run(run_id=run_id)
    if result.value is not None:
        st.session_state[NAME] = st.query_params[NAME] = result.value.name
        del st.query_params[RUN_ID]
        return True
    if result.problem is not None:
        show_database_down(result.problem, sources.retry, title="No run to show")
    else:
        st.warning(
            f"No run has the id {escape_markdown(run_id)}. Check the link, or choose an"
            " experiment on the Leaderboard.",
            icon=":material/help:",
            title="Unknown run",
        )
    return False


def _pick_name(sources: Sources) -> str | None:
    """Show the choice of the experiment and return its name. The name of a link is an option."""
    linked = st.query_params.get(NAME)
    if linked and linked != st.session_state.get(_LINKED):
        st.session_state[NAME] = linked  # otherwise the widget keeps its old value
    st.session_state[_LINKED] = linked
    snapshot = sources.snapshot().value
    known = [] if snapshot is None else list(snapshot.task_of)[:MAX_OPTIONS]
    current = st.session_state.get(NAME)
    options = list(dict.fromkeys([*known, *([current] if isinstance(current, str) else [])]))
    return st.selectbox(
        "Experiment",
        options,
        index=None,
        key=NAME,
        bind="query-params",
        width=480,
        placeholder="Name of an experiment",
        accept_new_options=True,
        help=f"The list has the newest {MAX_OPTIONS:,}. Type the name of another one.",
    )


def _show_unknown(sources: Sources, name: str) -> None:
    snapshot = sources.snapshot().value
    similar = [] if snapshot is None else similar_names(name, snapshot.task_of)
    advice = (
        f"Similar names: {', '.join(markdown_link(one) for one in similar)}."
        if similar
        else "See the Leaderboard for all names."
    )
    st.warning(
        f"No experiment has the name {escape_markdown(name)}. {advice}",
        icon=":material/help:",
        title="Unknown experiment",
    )


def _show_run(sources: Sources, run: Run, requested: str) -> None:
    if run.name != requested:
        st.info(
            f"{escape_markdown(requested)} was renamed. Its name is now {markdown_link(run.name)}.",
            icon=":material/drive_file_rename_outline:",
        )
    elif run.previous_names:
        st.caption(f"Formerly {join_names(run.previous_names)}.")
    _show_section(sources, run, "", show_facts)
    _show_section(sources, run, "Curves", curves.show_curves)
    left, right = st.columns([1, 1], gap="large")
    with left:
        _show_section(sources, run, "Parameters", show_parameters)
    with right:
        _show_section(sources, run, "Note", show_notes)
    sections: tuple[tuple[str, Section], ...] = (
        ("Models", show_models),
        ("Lineage", show_lineage),
        ("Artifacts", show_artifacts),
        ("Code", show_code),
        ("Predictions", show_recent),
    )
    for title, section in sections:
        _show_section(sources, run, title, section)


def _show_section(sources: Sources, run: Run, title: str, section: Section) -> None:
    with error_boundary(f"The section {title or 'heading'}"):
        if title:
            st.subheader(title, anchor=False)
        section(sources, run)
