"""Lineage of the Run page: retrainings of its recipe, and its times as champion."""

from datetime import datetime

import pandas as pd
import streamlit as st

from web.data.tracking.types import Run
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.tracking.run_models import retraining_table


def show_lineage(sources: Sources, run: Run) -> None:
    """Show the champion times in words and the retrainings as a table."""
    result = sources.tracking.lineage(run.name, run.task)
    if result.value is None:
        st.caption(result.problem or "")
        return
    lineage = result.value
    for row in lineage.champion.to_dict("records"):
        until = row["until"]
        end = "now" if pd.isna(until) else _day(until)
        st.markdown(
            f":material/trophy: Champion with version {row['version']} from {_day(row['since'])}"
            f" to {end}, moved by {escape_markdown(str(row['moved_by']))}:"
            f" {escape_markdown(str(row['reason']))}"
        )
    if lineage.retrainings.empty:
        if lineage.champion.empty:
            st.caption("Never champion, and no retraining of its recipe.")
        return
    st.dataframe(
        retraining_table(lineage.retrainings),
        hide_index=True,
        alt="Runs of the pipeline that trained this recipe, newest first",
        placeholder="\N{EN DASH}",
        column_config={
            "run": st.column_config.LinkColumn("Run", display_text=r"run=(\d+)", width=60),
            "kind": st.column_config.TextColumn("Kind", width=80),
            "state": st.column_config.TextColumn("State", width=90),
            "created_at": st.column_config.DatetimeColumn("Requested", format="YYYY-MM-DD HH:mm"),
            "dataset": st.column_config.TextColumn("Dataset", width=120),
            "gain": st.column_config.NumberColumn(
                "Gain", format="%+.2f pp", width=80, help="Over the champion of that time."
            ),
            "verdict": st.column_config.TextColumn("Verdict", width=90),
            "candidate_version": st.column_config.NumberColumn("Version", format="%d", width=65),
            "promoted_at": st.column_config.DatetimeColumn("Promoted", format="YYYY-MM-DD HH:mm"),
        },
    )


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
