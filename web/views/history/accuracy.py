"""Live accuracy of the page History: by version, and by class of one version."""

from typing import Any

import streamlit as st

from web.data.tracking.history_types import HistoryFilter, LiveAccuracy
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.tracking.history_tables import class_table, version_table

HEIGHT_PIXELS = 280


def show_accuracy(sources: Sources, criteria: HistoryFilter) -> None:
    """Show both tables with 95 % intervals by Wilson."""
    result = sources.tracking.accuracy()
    live = result.value
    if live is None:
        st.caption(result.problem or "")
        return
    versions = version_table(live, criteria.task)
    if versions.empty:
        st.caption("No labels yet. Label images above, and the accuracy of each version appears.")
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**By version**")
        st.dataframe(
            versions,
            hide_index=True,
            height=HEIGHT_PIXELS,
            alt="Live accuracy of each version with its interval",
            placeholder="\N{EN DASH}",
            column_config={
                "version": st.column_config.LinkColumn(
                    "Version", display_text=r"model=(.*)$", width=200, help="Opens Evaluate."
                ),
                "live": st.column_config.NumberColumn("Live", format="%.1f %%", width=75),
                **_interval_columns(),
                "test": st.column_config.NumberColumn(
                    "Test", format="%.2f %%", width=75, help="From the model card."
                ),
            },
        )
    with right:
        _show_classes(live, criteria)


def _show_classes(live: LiveAccuracy, criteria: HistoryFilter) -> None:
    rows = live.versions
    if criteria.experiment is not None:
        rows = rows[rows["experiment_name"] == criteria.experiment]
    if criteria.version is not None:
        rows = rows[rows["version"] == criteria.version]
    if criteria.task is not None:
        rows = rows[rows["task"] == criteria.task]
    if rows.empty:
        st.caption("No label of an image that this version predicted.")
        return
    name, version = str(rows.iloc[0]["experiment_name"]), int(rows.iloc[0]["version"])
    st.markdown(f"**By class**, {escape_markdown(name)}, version {version}")
    st.dataframe(
        class_table(live, name, version),
        hide_index=True,
        height=HEIGHT_PIXELS,
        alt=f"Live accuracy of {name}, version {version}, by class",
        column_config={
            "label": st.column_config.TextColumn("Class", width=60),
            "live": st.column_config.NumberColumn("Live", format="%.1f %%", width=75),
            **_interval_columns(),
        },
    )


def _interval_columns() -> dict[str, Any]:
    help_text = "95 % interval by Wilson."
    return {
        "low": st.column_config.NumberColumn("From", format="%.1f %%", width=75, help=help_text),
        "high": st.column_config.NumberColumn("To", format="%.1f %%", width=75, help=help_text),
        "images": st.column_config.NumberColumn("Images", format="%d", width=70),
    }
