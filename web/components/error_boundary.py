"""The one guard for errors that nobody expected.

A plain message on the page, the traceback in the log.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

_log = logging.getLogger(__name__)


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Keep an unexpected error of the block from taking the page down.

    what: the part of the page, for the message.

    Streamlit's own control flow (rerun, stop) derives from BaseException and passes.
    """
    try:
        yield
    except Exception:  # noqa: BLE001  # that is what the guard is for
        _log.exception("unexpected error in %s", what)
        st.error(
            f"{what} cannot be shown because of an error in the dashboard. The log of the web service has the details; "
            "reloading the page may help.",
            icon=":material/error:",
        )
