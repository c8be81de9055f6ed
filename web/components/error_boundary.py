"""Error boundary: shows a message instead of an unexpected error, and logs the traceback."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

_log = logging.getLogger(__name__)


@contextmanager
def error_boundary(component: str) -> Iterator[None]:
    """Catch unexpected errors of the block and show a message in its place.

    Streamlit's control flow (rerun, stop) derives from BaseException and passes.

    Args:
        component: part of the page, for the message and the log.

    """
    try:
        yield
    except Exception:  # noqa: BLE001  # the purpose of a boundary
        _log.exception("Unexpected error in %s", component)
        st.error(
            f"{component} cannot be shown because of an error in the dashboard. Reload the page,"
            " or see the log of the web service.",
            icon=":material/error:",
        )
