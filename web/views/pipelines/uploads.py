"""Uploads of the Data tab: a file of labeled images, and what became of earlier ones."""

import pandas as pd
import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import submit
from web.formatting import escape_markdown, pluralize
from web.sources import Sources
from web.tables.pipeline_data import rejects_table, upload_table
from web.views.pipelines.task_picker import pick_task

# Limit of the dashboard. The API takes 256 MB.
MAX_MEGABYTES = 32
TYPES = ["zip", "csv", "npz", "parquet"]
UPLOAD_STATES = {"Received": "blue", "Accepted": "green", "Rejected": "red"}


def show_uploads(sources: Sources) -> None:
    """Show the upload field, and the uploads with their state."""
    st.header(
        "Uploads",
        anchor=False,
        help="Labeled images for the next run. A worker reads them and adds them to the dataset.",
    )
    _show_form(sources, pick_task(sources))
    result = sources.learning.uploads()
    uploads = result.value
    if uploads is None or uploads.empty:
        if uploads is not None:
            st.caption("No uploads yet.")
        return
    event = st.dataframe(
        upload_table(uploads),
        hide_index=True,
        alt="Uploads with their state, newest first",
        placeholder="\N{EN DASH}",
        key="upload_table",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "name": st.column_config.TextColumn("File", width=200),
            "state": st.column_config.MultiselectColumn(
                "State", options=list(UPLOAD_STATES), color=list(UPLOAD_STATES.values()), width=95
            ),
            "images": st.column_config.NumberColumn("Images", format="localized", width=75),
            "rejected": st.column_config.NumberColumn("Rejected", format="localized", width=80),
            "size": st.column_config.TextColumn("Size", width=80),
            "task": st.column_config.TextColumn("Task", width=70),
            "reason": st.column_config.TextColumn("Reason", width=330),
            "uploaded_by": st.column_config.TextColumn("By", width=90),
            "uploaded_at": st.column_config.DatetimeColumn(
                "Uploaded", format="YYYY-MM-DD HH:mm", width=140
            ),
        },
    )
    rows = event["selection"]["rows"]
    selected = uploads.iloc[[rows[0]]] if rows and rows[0] < len(uploads) else uploads
    _show_rejects(selected)


def _show_form(sources: Sources, task: str) -> None:
    with st.form("upload", clear_on_submit=True):
        file = st.file_uploader(
            "File with labeled images",
            type=TYPES,
            max_upload_size=MAX_MEGABYTES,
            help="A zip of folders named by their labels, a CSV file (label, pixel0 to pixel783, or"
            " label, image in base64), an .npz file (images, labels) or a Parquet file (image,"
            " label). Larger files, up to 256 MB: `make load FILE=digits.zip`.",
        )
        author = author_input()
        if not st.form_submit_button("Add to the next run", icon=":material/add:"):
            return
        if file is None:
            st.error("Choose a file first.")
            return

        def store() -> str:
            sources.learning_api.upload(task, file.name, file.getvalue(), by=author.strip())
            return f"{escape_markdown(file.name)} is stored. Press Retrain to use it"

        submit(sources, {AUTHOR: author}, store, failure="File not uploaded")


def _show_rejects(uploads: pd.DataFrame) -> None:
    rejects = rejects_table(uploads)
    if rejects.empty:
        return
    rejected = int(uploads["rejected"].fillna(0).sum())
    with st.expander(f"{pluralize(rejected, 'image')} rejected", icon=":material/report:"):
        st.dataframe(
            rejects,
            hide_index=True,
            alt="Rejected images with their place and the reason",
            column_config={
                "file": st.column_config.TextColumn("File", width=180),
                "path": st.column_config.TextColumn("Image or row", width=220),
                "reason": st.column_config.TextColumn("Reason", width=420),
            },
        )
        if rejected > len(rejects):
            st.caption(f"The first {len(rejects):,} of {rejected:,}.")
