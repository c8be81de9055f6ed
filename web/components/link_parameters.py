"""Parameters of links: tells those that a page does not know."""

import difflib
from collections.abc import Collection, Iterable

import streamlit as st

from web.formatting import escape_markdown

# Parameters of Streamlit
_STREAMLIT = ("embed", "embed_options")


def unknown_parameters(given: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a sentence for each parameter of a link that the page does not know.

    Args:
        given: names of the parameters in the link.
        known: names that the page knows.

    """
    sentences = []
    for name in given:
        if name in known or name in _STREAMLIT:
            continue
        [*close] = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        sentences.append(f"Unknown link parameter: {escape_markdown(name)}.{hint}")
    return sentences


def show_unknown_parameters(known: Collection[str]) -> None:
    """Show a warning if the link of the page has parameters that it does not know."""
    if sentences := unknown_parameters(st.query_params, known):
        st.warning(" ".join(sentences), icon=":material/link_off:")
