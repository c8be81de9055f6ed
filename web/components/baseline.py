"""Pinned baseline: one experiment that tables and charts of every page compare with."""

from collections.abc import Sequence

import streamlit as st

from web.shared_values import SharedValue

# In the URL: ?base=NAME
BASELINE = SharedValue("base", "", parse=str, accepted="names of experiments")


def pinned_baseline() -> str | None:
    """Return the name of the pinned baseline, None without one."""
    return BASELINE.value or None


def pick_baseline(names: Sequence[str], without: str, *, width: int = 260) -> str | None:
    """Show the choice of the baseline and return its name, None without one.

    Args:
        names: experiments that can be pinned. The pinned one is always an option.
        without: text of no baseline.
        width: width in pixels.

    """
    # The baseline is the default, which the browser knows even if it interrupts the first run. A
    # field with a default cannot be cleared, so no baseline is an option.
    options = list(dict.fromkeys(["", *names, BASELINE.value]))
    st.selectbox(
        "Baseline",
        options,
        index=options.index(BASELINE.value),
        format_func=lambda name: name or without,
        key=BASELINE.key,
        on_change=BASELINE.take_from_widget,
        width=width,
        help="Pinned reference of all pages: tables show changes against it, charts emphasize it.",
    )
    return pinned_baseline()
