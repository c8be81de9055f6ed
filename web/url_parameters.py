"""URL parameters of a page: kept while another page is open. Unknown ones are told."""

import difflib
from collections.abc import Collection, Iterable

import streamlit as st

from web.formatting import escape_markdown

# Parameters of Streamlit
_STREAMLIT = ("embed", "embed_options")
# Session keys: page of the last run, and the parameters of each page.
_PAGE, _KEPT = "parameters_page", "parameters_of_pages"


def restore_parameters(page: st.Page, names: Collection[str]) -> None:
    """Restore the parameters that a page had before, unless the link has some of its own.

    Streamlit drops the parameters and the widgets of a page that is left, also for Back. Call it
    before the widgets of the page, which start with the parameters.

    Args:
        page: path of the page.
        names: its parameters. Those of other widgets stay as they are.

    """
    path = page.url_path
    has_changed = st.session_state.get(_PAGE, path) != path
    st.session_state[_PAGE] = path
    kept: dict[str, list[str]] = st.session_state.get(_KEPT, {}).get(path, {})
    if not has_changed or any(name in st.query_params for name in names):
        return
    own = {name: kept[name] for name in names if kept.get(name)}
    if own:
        for name in own:
            st.session_state.pop(name, None)
        st.switch_page(page, query_params=own)


def keep_parameters(page: str) -> None:
    """Keep the parameters of a page at the end of its run."""
    own = {name: st.query_params.get_all(name) for name in st.query_params}
    st.session_state.setdefault(_KEPT, {})[page] = own


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
