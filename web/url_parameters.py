"""URL parameters of a page: kept while another page is open."""

from collections.abc import Collection

import streamlit as st

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
