"""Pinned baseline: one experiment that tables and charts of every page compare with.

It is in the URL (?base=NAME) and in the session, so it stays when the page changes.
"""

from collections.abc import Sequence

import streamlit as st

BASELINE = "base"


def pinned_baseline() -> str | None:
    """Return the name of the pinned baseline, None without one."""
    name = st.session_state.get(BASELINE, st.query_params.get(BASELINE))
    return str(name) if name else None


def pick_baseline(names: Sequence[str], placeholder: str, *, width: int = 260) -> str | None:
    """Show the choice of the baseline and return its name, None without one.

    Args:
        names: experiments that can be pinned. The pinned one is always an option.
        placeholder: text without a baseline.
        width: width in pixels.

    """
    pinned = pinned_baseline()
    options = list(dict.fromkeys([*names, *([] if pinned is None else [pinned])]))
    return st.selectbox(
        "Baseline",
        options,
        index=None,
        key=BASELINE,
        bind="query-params",
        width=width,
        placeholder=placeholder,
        help="Pinned reference of all pages: tables show changes against it, charts emphasize it.",
    )
