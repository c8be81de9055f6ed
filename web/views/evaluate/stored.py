"""Stored evaluations of the Evaluate page: earlier results of the same models and images."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from evaluation.metrics import wilson_interval
from web.data.api_types import ModelVersion
from web.data.learning.data_types import StoredEvaluation
from web.evaluations.labeled_set import LabeledSet
from web.evaluations.tables import format_interval, stored_table
from web.formatting import escape_markdown, format_age, format_percent, pluralize
from web.sources import Sources
from web.tables.run_names import markdown_link


def show_stored(sources: Sources, models: Sequence[ModelVersion], labeled_set: LabeledSet) -> None:
    """Show the stored accuracy of each model on exactly these images, nothing without one.

    Only numbers are stored. A new evaluation has the confusion matrix and the images, too.
    """
    found = [
        (model, stored)
        for model in models
        if model.digest is not None
        and (stored := sources.learning.evaluation(model.digest, labeled_set.digest).value)
    ]
    if not found:
        return
    st.header("Stored results", anchor=False)
    for model, stored in found:
        st.markdown(_describe(model, stored))
        with st.expander(f"By label: {escape_markdown(model.short_name)}"):
            st.dataframe(
                stored_table(stored.by_class),
                hide_index=True,
                alt="Images and accuracy by label",
                column_config={
                    "label": st.column_config.TextColumn("Label", width=80),
                    "images": st.column_config.NumberColumn("Images", width=80),
                    "accuracy": st.column_config.ProgressColumn(
                        "Accuracy", format="%.1f %%", min_value=0, max_value=100, width=160
                    ),
                },
            )
    st.caption("Press *Evaluate* for the confusion matrix, the calibration and the images.")


def _describe(model: ModelVersion, stored: StoredEvaluation) -> str:
    accuracy = format_percent(stored.correct / stored.images, 2) if stored.images else "0 %"
    interval = format_interval(wilson_interval(stored.correct, stored.images))
    age = format_age(max(0.0, (datetime.now(UTC) - stored.at).total_seconds()))
    return (
        f"**{markdown_link(model.name, model.short_name)}: {accuracy}** of"
        f" {pluralize(stored.images, 'image')} ({interval}), evaluated {age} by"
        f" {escape_markdown(stored.evaluated_by)}"
    )
