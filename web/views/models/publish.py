"""Publishing form of the Models page: experiment, file, and fields of the card."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from web.components.author import AUTHOR, author_input
from web.components.authored_action import REASON, fresh_key, reason_input, submit
from web.data.api_types import ModelVersion
from web.data.learning.types import PUBLISH
from web.formatting import escape_markdown
from web.sources import Sources
from web.tables.publication import INK, PIXELS, add_task, stated_card
from web.views.models.publication import Publication, send

# Limit of the dashboard. The API takes 256 MB.
MAX_MEGABYTES = 32
TYPES = ["keras", "h5", "hdf5", "zip"]


def show_form(sources: Sources, versions: Sequence[ModelVersion]) -> None:
    """Show the button that opens the form."""
    snapshot = sources.snapshot().value
    task_of: Mapping[str, str] = {} if snapshot is None else snapshot.task_of
    names = sorted({*task_of, *(version.name for version in versions)})
    tasks = sorted({*task_of.values(), *(version.task for version in versions if version.task)})
    with (
        st.popover(
            "Publish a model",
            icon=":material/upload:",
            type="primary",
            key=fresh_key("publish_popover"),
        ),
        st.form(fresh_key(PUBLISH), border=False),
    ):
        experiment = st.selectbox(
            "Experiment",
            names,
            index=None,
            accept_new_options=True,
            placeholder="Choose one, or type a new name",
            help="The model becomes its next version. A new name gets a row on the Leaderboard.",
        )
        file = st.file_uploader(
            "Model file",
            type=TYPES,
            max_upload_size=MAX_MEGABYTES,
            help="A .keras file, an .h5 file of Keras 2, or a zip of a directory with model.keras,"
            " with model.tflite and card.json, or of a SavedModel. Larger files, up to 256 MB: see"
            " `make publish` and the API.",
        )
        accuracy = st.number_input(
            "Test accuracy in %",
            0.0,
            100.0,
            None,
            format="%.2f",
            placeholder="98.50",
            help="Shown on the Leaderboard. Without it, the value of the file's card counts.",
        )
        card = _card_inputs(accuracy, tasks)
        author, reason = author_input(), reason_input("trained on the new scans")

        def publish() -> str:
            assert file is not None  # noqa: S101  # `submit` has checked it
            name = str(experiment).strip()
            sent = add_task(card, task_of.get(name), versions, file.name)
            send(
                sources,
                Publication(
                    0, name, file.name, file.getvalue(), sent, author.strip(), reason.strip()
                ),
            )
            return f"{escape_markdown(file.name)} is stored"

        if st.form_submit_button("Publish", type="primary"):
            required = {
                "Experiment": str(experiment or ""),
                "Model file": "" if file is None else file.name,
                AUTHOR: author,
                REASON: reason,
            }
            submit(sources, required, publish, failure="Model not published")


def _card_inputs(accuracy: float | None, tasks: Sequence[str]) -> dict[str, Any]:
    """Show the fields of the card that only some models need, and return what the form states."""
    with st.expander("Task, classes and input"):
        task = st.selectbox(
            "Task",
            tasks,
            index=None,
            accept_new_options=True,
            placeholder="That of the experiment or its card",
        )
        classes = st.text_input(
            "Classes",
            placeholder="even, odd",
            help="In the order of the model's outputs, separated by commas. Only if they are not"
            " those of the task.",
        )
        pixels = st.selectbox("Pixel values", list(PIXELS), help="Range that the model takes.")
        ink = st.selectbox("Digits", list(INK), help="Colors of the images that the model takes.")
    return stated_card(
        accuracy_percent=accuracy, task=str(task or ""), classes=classes, pixels=pixels, ink=ink
    )
