"""Model versions of the Run page with their aliases, and live beside test accuracy."""

import streamlit as st

from web.data.tracking.types import Run
from web.sources import Sources
from web.tables.tracking.run_models import model_table


def show_models(sources: Sources, run: Run) -> None:
    """Show one row per version."""
    result = sources.tracking.lineage(run.name, run.task)
    if result.value is None:
        st.caption(result.problem or "")
        return
    models = result.value.models
    if not models:
        st.caption(
            "No model. Publish one on the page [Models](models), or with `make publish"
            " FILE=model.keras NAME=...`."
        )
        return
    interval = "With the 95 % interval by Wilson and the number of images."
    st.dataframe(
        model_table(run.name, models),
        hide_index=True,
        alt="Versions of the model with aliases, test accuracy and live accuracy",
        placeholder="\N{EN DASH}",
        column_config={
            "version": st.column_config.LinkColumn(
                "Version", display_text=r"@(\d+)$", width=65, help="Opens the page Models."
            ),
            "aliases": st.column_config.TextColumn("Aliases", width=110),
            "state": st.column_config.TextColumn("State", width=75),
            "test": st.column_config.TextColumn(
                "Test accuracy",
                width=240,
                help=f"{interval} Without an evaluation, the number of the model card.",
            ),
            "live": st.column_config.TextColumn(
                "Live accuracy",
                width=240,
                help=f"{interval} Images of requests that have a label.",
            ),
            "dataset": st.column_config.TextColumn("Dataset", width=120),
            "run": st.column_config.LinkColumn(
                "Pipeline run", display_text=r"run=(\d+)", width=90, help="Run that trained it."
            ),
        },
    )
