"""Details of one version on the Models page: state, input, parity, card and code to copy."""

from collections.abc import Sequence

import streamlit as st

from web.data.api_types import ModelVersion
from web.formatting import escape_markdown, join_names
from web.sources import Sources
from web.tables.model_registry import (
    STATES,
    describe_input,
    describe_parity,
    describe_probe,
    describe_size,
    find_version,
)
from web.tables.run_names import markdown_link
from web.views.models.alerts import show_alerts
from web.views.models.code import show_code
from web.views.models.robustness import show_robustness

# Key of the widget, which is also the URL parameter: ?m=NAME or ?m=NAME@2
SELECTED = "m"
MAX_LISTED_CLASSES = 12
_STATE_STYLES = {
    "READY": ("green", ":material/check_circle:"),
    "FAILED": ("red", ":material/error:"),
}
_OTHER_STYLE = ("orange", ":material/hourglass_top:")


def show_details(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    """Show the choice of a version and its details."""
    names = [version.short_name for version in versions]
    # Streamlit drops a name from the URL that is not an option, so an unknown one is added. The
    # page can then say that it does not exist.
    requested = (st.query_params.get(SELECTED), st.session_state.get(SELECTED))
    options = list(dict.fromkeys([*names, *(name for name in requested if name)]))
    name = str(
        st.selectbox(
            "Model",
            options,
            key=SELECTED,
            bind="query-params",
            width=480,
            help="Or click a row of the table.",
        )
    )
    version = find_version(name, versions)
    if version is None:
        st.warning(
            f"Unknown model {escape_markdown(name)}. Choose another one.", icon=":material/help:"
        )
        return
    with st.container(border=True):
        st.header(f"{escape_markdown(version.name)}, version {version.version}", anchor=False)
        st.markdown(f"Run {markdown_link(version.name)}")
        show_alerts(sources, version)
        facts, code = st.columns([1, 1], gap="large")
        with facts:
            _show_facts(sources, version)
        with code:
            show_code(sources.settings.public_api_url, version)
        show_robustness(sources, version, versions)
        with st.expander("Model card"):
            card = sources.card(version.name, version.version, version.digest)
            if card.value:
                st.json(dict(card.value), expanded=2)
            else:
                st.caption(card.problem or "The model has no card.")


def _show_facts(sources: Sources, version: ModelVersion) -> None:
    color, icon = _STATE_STYLES.get(version.state, _OTHER_STYLE)
    state = STATES.get(version.state, version.state.capitalize())
    with st.container(horizontal=True, gap="small"):
        st.badge(state, icon=icon, color=color)  # type: ignore[arg-type]
        for alias in version.aliases:
            st.badge(escape_markdown(alias), icon=":material/star:", color="violet")
        st.badge(f"Task {escape_markdown(version.task)}", color="gray")
        snapshot = sources.snapshot().value
        served = (
            snapshot.served.describe(version.name, version.version, version.digest)
            if snapshot is not None
            else None
        )
        if served is not None:
            st.badge(f"{served} serve v{version.version}", color="gray")
    if version.reason:
        st.markdown(escape_markdown(version.reason))
    if version.update is not None:
        state = str(version.update.get("state")).lower()
        st.markdown(f"An update of its files is {state}.")
    facts = [
        ("Input", escape_markdown(describe_input(version))),
        ("Classes", join_names(version.classes, limit=MAX_LISTED_CLASSES)),
        ("Probe", escape_markdown(describe_probe(version))),
        ("Parity", escape_markdown(describe_parity(version.parity))),
        ("Size", escape_markdown(describe_size(version))),
        ("Digest", f"`{version.digest}`" if version.digest else "unknown"),
    ]
    st.markdown("\n".join(f"- **{name}:** {value}" for name, value in facts))
