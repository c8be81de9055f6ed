"""Training-serving skew: the features of the test images against the accepted traffic."""

import streamlit as st

from web.components.run_column import run_column, with_run_links
from web.sources import Sources
from web.tables.monitoring.tables import skew_table
from web.views.monitor.choice import Choice


def show_skew(sources: Sources, choice: Choice) -> None:
    """Show the section."""
    result = sources.monitoring.skew(choice.task)
    skew = result.value
    if skew is None:
        st.caption(result.problem or "")
        return
    if skew.empty:
        st.caption(
            "Traffic is compared with the test images once it is accepted as normal. So far, the"
            " reference is that of the test images, or there is none of them."
        )
        return
    st.dataframe(
        with_run_links(skew_table(skew), "version", is_short=True),
        hide_index=True,
        alt="Mean of each feature over the test images and over the accepted traffic",
        # A phone shows the first four without scrolling.
        column_order=("feature", "test", "traffic", "shift", "path", "version"),
        column_config={
            "version": run_column("Version"),
            "path": st.column_config.TextColumn("Images sent as", width=110),
            "feature": st.column_config.TextColumn("Feature", width=95),
            "test": st.column_config.NumberColumn("Test images", format="%.3f", width=95),
            "traffic": st.column_config.NumberColumn("Traffic", format="%.3f", width=90),
            "shift": st.column_config.NumberColumn(
                "Shift", format="%+.2f", width=80, help="In standard deviations of the test images."
            ),
        },
    )
