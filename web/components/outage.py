"""Outage messages: Postgres or the inference API is down, the last known data stays."""

from collections.abc import Callable

import streamlit as st


def show_retry_button(retry: Callable[[], None]) -> None:
    """Show a button that reads the sources again and reruns the page."""
    if st.button("Retry", icon=":material/refresh:"):
        retry()
        st.rerun()


def show_database_down(problem: str | None, retry: Callable[[], None], *, title: str) -> None:
    """Show that the page has no data because Postgres is down."""
    st.error(
        f"{problem} The page reloads when Postgres is back.",
        icon=":material/database_off:",
        title=title,
    )
    show_retry_button(retry)


def show_stale_data(problem: str | None) -> None:
    """Show that the page has old data because Postgres is down. Its age is in the status strip."""
    st.warning(
        f"{problem} The page updates when Postgres is back.",
        icon=":material/history:",
        title="Last known data",
    )


def show_api_down(problem: str, retry: Callable[[], None], *, consequence: str = "") -> None:
    """Show that the inference API is down.

    Args:
        problem: why, in markdown.
        retry: reads the sources again.
        consequence: what still works, in markdown.

    """
    st.error(
        f"{problem} {consequence}".strip(),
        icon=":material/cloud_off:",
        title="The inference API is down",
    )
    show_retry_button(retry)
