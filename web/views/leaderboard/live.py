"""Live refresh of the leaderboard: new runs, and the rows and curves of running ones.

A fragment without elements asks all the time whether runs came, ended or went silent, and then
reruns the page. The board refreshes on its own only while something runs.
"""

import streamlit as st

from web.components.error_boundary import error_boundary
from web.data.leaderboard.changes import PERIOD_SECONDS, Revision
from web.sources import Sources

POLL_SECONDS = 0.7
# Session keys: the state that the page shows, and a click on the board that the page must show
_SHOWN, _IS_REQUESTED = "leaderboard_revision", "leaderboard_requested"


def refresh_seconds(revision: Revision | None) -> int | None:
    """Return the time between refreshes of the board, None if nothing runs."""
    is_live = revision is not None and revision.running > revision.silent
    return PERIOD_SECONDS if is_live else None


def watch_runs(sources: Sources, revision: Revision | None) -> None:
    """Rerun the page after a change. revision: the state that the page shows."""
    st.session_state[_SHOWN] = None if revision is None else revision.runs
    _watch(sources)


@st.fragment(run_every=POLL_SECONDS)
def _watch(sources: Sources) -> None:
    with error_boundary("The live refresh"):
        revision = sources.board.revision().value
        shown = st.session_state.get(_SHOWN)
        if revision is None or shown == revision.runs:
            return
        st.session_state[_SHOWN] = revision.runs
        if shown is not None:
            sources.board.expire()
        st.rerun()


def request_page() -> None:
    """Draw the whole page after a click on the board. For use in callbacks."""
    st.session_state[_IS_REQUESTED] = True


def draw_requested_page() -> None:
    """Rerun the page if a callback requested it. The board calls it before it draws."""
    if st.session_state.pop(_IS_REQUESTED, False):
        st.rerun()
