"""Data tab of the Pipelines page: versions of the dataset, their images, and uploads."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from web.components.outage import show_database_down, show_stale_data
from web.formatting import pluralize
from web.sources import Sources
from web.tables.pipeline_data import (
    count_table,
    dataset_table,
    describe_sources,
    lineage,
)
from web.views.pipelines.uploads import show_uploads

SELECTED = "dataset_table"


def show(sources: Sources) -> None:
    """Draw the tab."""
    result = sources.learning.datasets()
    if result.value is None:
        show_database_down(result.problem, sources.retry, title="No datasets to show")
        return
    if result.is_stale:
        show_stale_data(result.problem)
    show_uploads(sources)
    st.header("Versions", anchor=False)
    datasets = result.value
    if datasets.empty:
        st.info(
            "The first run makes the first version: the base dataset with the corrections on"
            " Predict, the answers on the tab Label, and the uploads.",
            icon=":material/dataset:",
            title="No datasets yet",
        )
        return
    chosen = _choose(datasets)
    _show_version(sources, datasets, chosen)


def _choose(datasets: pd.DataFrame) -> int:
    """Show the versions and return the row of the selected one, the newest by default."""
    event = st.dataframe(
        dataset_table(datasets),
        hide_index=True,
        alt="Versions of the dataset with their numbers of images, newest first",
        placeholder="\N{EN DASH}",
        key=SELECTED,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "version": st.column_config.TextColumn("Version", width=90),
            "task": st.column_config.TextColumn("Task", width=70),
            "images": st.column_config.NumberColumn("Images", format="localized", width=80),
            "added": st.column_config.NumberColumn(
                "Beyond the base", format="localized", width=120
            ),
            "train": st.column_config.NumberColumn("Training", format="localized", width=80),
            "validation": st.column_config.NumberColumn("Validation", format="localized", width=90),
            "test": st.column_config.NumberColumn("Test", format="localized", width=80),
            "parent": st.column_config.TextColumn("Adds to", width=90),
            "runs": st.column_config.TextColumn("Runs", width=90),
            "created_at": st.column_config.DatetimeColumn(
                "Created", format="YYYY-MM-DD HH:mm", width=140
            ),
            "created_by": st.column_config.TextColumn("By", width=90),
        },
    )
    rows = event["selection"]["rows"]
    return int(rows[0]) if rows and rows[0] < len(datasets) else 0


def _show_version(sources: Sources, datasets: pd.DataFrame, row: int) -> None:
    dataset = datasets.iloc[row]
    with st.container(border=True):
        st.markdown(lineage(datasets, row))
        sources_of: Mapping[str, object] = dataset["sources"] or {}
        st.caption(describe_sources(sources_of))
        result = sources.learning.dataset_counts(int(dataset["id"]))
        if result.value is None:
            st.caption(result.problem or "")
            return
        if result.value.empty:
            st.caption("This version has no images beyond the base dataset.")
            return
        added = int(result.value["images"].sum())
        st.markdown(f"**{pluralize(added, 'image')} beyond the base**, by label and split")
        st.dataframe(
            count_table(result.value),
            hide_index=True,
            alt="Images beyond the base dataset by label, split and source",
            # The sum first: a phone shows three columns.
            column_order=("label", "total", "train", "validation", "test"),
            column_config={
                "label": st.column_config.TextColumn("Label", width=70),
                "train": st.column_config.NumberColumn("Training", width=80),
                "validation": st.column_config.NumberColumn("Validation", width=90),
                "test": st.column_config.NumberColumn("Test", width=70),
                "total": st.column_config.ProgressColumn(
                    "All", format="%d", min_value=0, max_value=_largest(result.value), width=140
                ),
            },
        )


def _largest(counts: pd.DataFrame) -> int:
    return int(counts.groupby("label")["images"].sum().max())
