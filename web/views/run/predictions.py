"""Recent predictions of the models of a run, and those that a label corrected."""

import streamlit as st

from web.components.logged_images import show_predictions
from web.data.tracking.history_types import HistoryFilter
from web.data.tracking.types import Run
from web.sources import Sources
from web.tables.tracking.history_address import WRONG, history_url

RECENT, CORRECTIONS = 12, 12


def show_recent(sources: Sources, run: Run) -> None:
    """Show two rows of thumbnails with links to the history."""
    recent = sources.tracking.history(HistoryFilter(experiment=run.name), RECENT)
    if recent.value is None:
        st.caption(recent.problem or "")
        return
    if not recent.value.predictions:
        st.caption("No predictions of its models yet.")
        return
    show_predictions(sources, recent.value.predictions, key="recent")
    st.markdown(f"[All predictions]({history_url(experiment=run.name)})")
    wrong = sources.tracking.history(HistoryFilter(experiment=run.name, is_wrong=True), CORRECTIONS)
    if wrong.value is not None and wrong.value.predictions:
        st.markdown("**Corrected**")
        show_predictions(sources, wrong.value.predictions, key="corrected")
        st.markdown(f"[All corrections]({history_url(experiment=run.name, only=WRONG)})")
