"""Code to copy on the Models page: one prediction with the client that the reader has."""

import streamlit as st

from web.components.code_snippets import SNIPPETS
from web.data.api_types import ModelVersion
from web.link_values import check_options

# Key of the widget, which is also the URL parameter: ?client=kserve
CLIENT = "client"


def show_code(api_url: str, version: ModelVersion) -> None:
    """Show the choice of a client and of the model's name, and the code for both."""
    if version.state != "READY":
        st.caption("The model is not ready.")
        return
    clients = list(SNIPPETS)
    check_options(CLIENT, clients)
    client = st.pills(
        "Predict with",
        clients,
        default=clients[0],
        required=True,
        key=CLIENT,
        bind="query-params",
        wrap=True,
    )
    aliases = [f"{version.task}@{alias}" for alias in version.aliases]
    name = st.selectbox(
        "Model in the code",
        list(dict.fromkeys([version.short_name, version.pinned_name, *aliases])),
        key=f"code-name-{version.pinned_name}",
        width=480,
        help="A name means its newest version, `NAME@2` version 2, an alias whatever it points to.",
    )
    snippet = SNIPPETS[client or clients[0]]
    st.code(snippet.text(api_url, name), language=snippet.language, wrap_lines=True)
    st.caption("`digit.png` is an image of a digit. doc/protocols.md has arrays, keys and errors.")
