"""Outage messages: Postgres or the inference API is down, the last known data stays."""

from collections.abc import Callable

import streamlit as st

from web.data.learning.types import RunList
from web.formatting import format_age

# Workers report every few seconds.
MAX_SILENCE_SECONDS = 120


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


def has_worker(listed: RunList) -> bool:
    """Return whether a worker of the pipeline has reported lately."""
    seen = listed.worker_seen_seconds
    return seen is not None and seen < MAX_SILENCE_SECONDS


def show_missing_worker(listed: RunList, *, waiting: str) -> None:
    """Warn if no worker executes runs. waiting: what waits for one, a sentence or empty."""
    if has_worker(listed):
        return
    seen = listed.worker_seen_seconds
    last = "" if seen is None else f" The last one was seen {format_age(seen)}."
    st.warning(
        "Start one: `make worker` (or `docker compose --profile loop up -d`)."
        + f"{last} {waiting}".rstrip(),
        icon=":material/engineering:",
        title="No worker has been seen for 2 minutes",
    )
