"""Inputs of the Predict page: canvas, upload and sample digits."""

from dataclasses import dataclass

import streamlit as st

from web.components.canvas import show_canvas
from web.components.sample_digits import SAMPLE_DIGITS, draw_sample_digit
from web.data.image_formats import SUFFIXES

SAMPLE = "example"
DRAW_TAB, UPLOAD_TAB, SAMPLE_TAB = TABS = (
    ":material/draw: Draw",
    ":material/upload: Upload",
    ":material/grid_view: Samples",
)
MAX_UPLOAD_MEGABYTES = 2
# A warning names the number of images beyond it.
MAX_UPLOADS = 200


@dataclass(frozen=True)
class InputImage:
    """Image to predict. A drawing has no name."""

    name: str | None
    data: bytes


def is_upload_open() -> bool:
    """Return whether the upload tab is open."""
    return bool(st.session_state.get("input") == UPLOAD_TAB)


def show_inputs() -> list[InputImage]:
    """Show the tabs and return the images of the open one."""
    draw_tab, upload_tab, sample_tab = st.tabs(
        TABS,
        default=SAMPLE_TAB if SAMPLE in st.query_params else None,
        key="input",
        on_change="rerun",
    )
    with draw_tab:
        drawing = show_canvas("canvas")
    with upload_tab:
        uploads = st.file_uploader(
            "Images with one digit each",
            type=[suffix.removeprefix(".") for suffix in SUFFIXES],
            accept_multiple_files=True,
            max_upload_size=MAX_UPLOAD_MEGABYTES,
            key="uploads",
            help="Dark on light or light on dark, up to 4096 pixels wide and high. The digit is"
            " found, cropped and centered.",
        )
    if sample_tab.open:
        with sample_tab:
            return _show_samples()
    if upload_tab.open:
        if len(uploads) > MAX_UPLOADS:
            st.warning(
                f"Only the first {MAX_UPLOADS} of {len(uploads)} images are predicted. Remove some"
                " to see the others."
            )
        return [InputImage(upload.name, upload.getvalue()) for upload in uploads[:MAX_UPLOADS]]
    return [] if drawing is None else [InputImage(None, drawing)]


def _show_samples() -> list[InputImage]:
    """Show the sample digits and return the selected one."""
    digit = st.pills("Sample digits", SAMPLE_DIGITS, key=SAMPLE, bind="query-params")
    with st.container(horizontal=True, gap="small", key="examples"):
        for sample in SAMPLE_DIGITS:
            st.image(draw_sample_digit(sample), width=72, alt=f"Sample digit {sample}")
    return [] if digit is None else [InputImage(f"{digit}.png", draw_sample_digit(digit))]
