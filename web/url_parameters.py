"""URL parameters of a page: kept while another page is open. Unknown ones are told."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from web import link_values, shared_values
from web.formatting import escape_markdown
from web.shared_values import SharedValue

# Parameters of Streamlit
_STREAMLIT = ("embed", "embed_options")
# Session keys: page of the last run, and the parameters of each page.
_PAGE, _KEPT = "parameters_page", "parameters_of_pages"


def begin_page(
    page: st.Page,
    known: Collection[str],
    own: Collection[str],
    shared: Collection[SharedValue[Any]],
) -> None:
    """Begin a run of a page: restore its parameters. Call it before all widgets.

    Args:
        page: the page.
        known: parameters of the page.
        own: those whose widgets do not keep their values while another page is open.
        shared: values of the page that other pages have, too.

    """
    _restore_history(page, known)
    _restore_parameters(page, own)
    is_another = link_values.begin_page(page.url_path)
    shared_values.begin_page(shared, is_another=is_another)


def keep_parameters(path: str) -> None:
    """Keep the parameters of a page at the end of its run."""
    own = {name: st.query_params.get_all(name) for name in st.query_params}
    st.session_state.setdefault(_KEPT, {})[path] = own


def _restore_parameters(page: st.Page, names: Collection[str]) -> None:
    """Restore the parameters that a page had before, unless the link has some of its own.

    Streamlit drops the parameters and the widgets of a page that is left, also for Back. The
    widgets of the page start with the parameters.
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


def _restore_history(page: st.Page, names: Collection[str]) -> None:
    """Restore parameters that Streamlit drops when the user goes back to a page.

    It drops a parameter that a widget of the page before has, too, and would then show the default.
    """
    context = get_script_run_ctx()
    has_changed = st.session_state.get(_PAGE, page.url_path) != page.url_path
    if context is None or not context.is_history_navigation or not has_changed:
        return
    full = {
        name: values for name, values in parse_qs(context.query_string).items() if name in names
    }
    dropped = {name: values for name, values in full.items() if name not in st.query_params}
    if dropped:
        st.session_state[_PAGE] = page.url_path
        for name in dropped:
            st.session_state.pop(name, None)
        st.query_params.update(dropped)
        st.rerun()  # which is not a step in the history, so that the session counts, too


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


def show_link_problems(known: Collection[str]) -> None:
    """Show a warning about parameters that the page does not know, and values it does not accept.

    Call it at the end of a run of the page.
    """
    if sentences := [*unknown_parameters(st.query_params, known), *link_values.rejections(known)]:
        st.warning("  \n".join(sentences), icon=":material/link_off:")
