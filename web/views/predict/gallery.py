"""Gallery of the Predict page: one row per image of an upload."""

import base64
from collections.abc import Container, Mapping, Sequence

import streamlit as st

from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.api_types import ApiProblemError, ImageResult, warnings_of
from web.data.consensus import find_consensus, group_by_task
from web.formatting import escape_markdown, pluralize
from web.tables.predictions import GalleryItem, gallery_table
from web.views.predict.inputs import InputImage

THUMBNAIL_SIDE, ROW_PIXELS = 48, 52
# Readable in both themes
ERROR_ROW = "background-color: rgba(214, 69, 65, 0.25)"
WARNED_ROW = "background-color: rgba(214, 158, 46, 0.25)"


def show_gallery(
    images: Sequence[InputImage],
    results: Sequence[ImageResult],
    task_of: Mapping[str, str],
    unfit: Container[str],
) -> int:
    """Show one row per image, and return the index of the selected image.

    An unreadable image is red, one with a warning is yellow. The models in `unfit` do not vote.
    """
    items = []
    for image, result in zip(images, results, strict=True):
        if isinstance(result, ApiProblemError):
            show_image_problem(image, result)
            items.append(GalleryItem(str(image.name), None, result.detail or result.title))
        else:
            # The task with the most models, because a row shows one label only.
            answers = next(iter(group_by_task(result, task_of).values()), [])
            warnings = warnings_of(result)
            consensus = find_consensus(answers, warnings, unfit)
            items.append(GalleryItem(str(image.name), consensus, warnings=warnings))
    table = gallery_table(items)
    table.insert(0, "image", [_data_url(image.data) for image in images])
    is_bad = [item.consensus is None for item in items]
    styles = [
        WARNED_ROW if item.warnings else ERROR_ROW if item.consensus is None else ""
        for item in items
    ]
    event = st.dataframe(
        table.style.apply(lambda row: [styles[int(row.name)]] * len(row), axis=1),
        hide_index=True,
        alt="Consensus for each image",
        placeholder="",
        key="gallery_table",
        on_select="rerun",
        selection_mode="single-row",
        row_height=ROW_PIXELS,
        column_config={
            "image": st.column_config.ImageColumn("Image", width=60),
            "file": st.column_config.TextColumn("File", width=150),
            "answer": st.column_config.TextColumn("Answer", width=65),
            "agree": st.column_config.TextColumn("Agree", width=80),
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format="%.1f %%", min_value=0, max_value=100, width=130
            ),
            "note": st.column_config.TextColumn("Note", width=220),
        },
    )
    good_count = is_bad.count(False)
    warned_count = sum(bool(item.warnings) for item in items)
    warned = f" {warned_count:,} without a digit or with several." if warned_count else ""
    st.caption(
        f"{good_count:,} of {pluralize(len(is_bad), 'image')} predicted.{warned} Select a row to"
        " see every answer."
    )
    rows = event["selection"]["rows"]
    if rows:
        return int(rows[0])
    readable = [index for index, item in enumerate(items) if item.consensus or item.warnings]
    return is_bad.index(False) if good_count else next(iter(readable), 0)


def show_image_problem(image: InputImage, problem: ApiProblemError) -> None:
    """Show why an image has no prediction."""
    st.error(
        escape_markdown(problem.detail or problem.title),
        icon=":material/broken_image:",
        title=escape_markdown(image.name or "Cannot read the drawing"),
    )


def _data_url(data: bytes) -> str | None:
    try:
        thumbnail = make_thumbnail(data, side=THUMBNAIL_SIDE)
    except ThumbnailError:
        return None
    return "data:image/png;base64," + base64.b64encode(thumbnail).decode()
