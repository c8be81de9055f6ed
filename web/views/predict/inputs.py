"""Inputs of the Predict page: canvas, upload and sample digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from web.components.canvas import show_canvas
from web.components.sample_digits import SAMPLE_DIGITS, draw_sample_digit
from web.data.api_types import ApiProblemError
from web.data.image_formats import SUFFIXES
from web.data.photo_reduction import REDUCED_SIDE, UnusablePhotoError, reduce_photo
from web.formatting import pluralize
from web.link_values import check_options

SAMPLE = "example"
DRAW_TAB, UPLOAD_TAB, SAMPLE_TAB = TABS = (
    ":material/draw: Draw",
    ":material/upload: Upload",
    ":material/grid_view: Samples",
)
MAX_UPLOAD_MEGABYTES = 32  # server.maxUploadSize of .streamlit/config.toml
# A warning names the number of images beyond it.
MAX_UPLOADS = 200
UNUSABLE = 422  # as the API's status for such an image


@dataclass(frozen=True)
class InputImage:
    """Image to predict. A drawing has no name.

    Attributes:
        name: name of the file, None for a drawing.
        data: the image file as the API gets it, empty if there is a problem.
        problem: why it cannot be sent to the API, else None.
        is_reduced: whether it is a smaller picture of the upload.

    """

    name: str | None
    data: bytes
    problem: ApiProblemError | None = None
    is_reduced: bool = False


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
            help="Dark on light or light on dark, up to 32 MB. The digit is found, cropped and"
            " centered. Images over 2 MB and photos over 4096 pixels are reduced to 2048 pixels.",
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
        with upload_tab:
            return _read_uploads(uploads[:MAX_UPLOADS])
    return [] if drawing is None else [InputImage(None, drawing)]


def _read_uploads(uploads: Sequence[UploadedFile]) -> list[InputImage]:
    """Return the uploads, reduced where the API would reject them as too large.

    The session keeps them, so that a rerun reduces nothing again.
    """
    known: dict[str, InputImage] = st.session_state.get("read_uploads", {})
    with st.spinner("Reducing photos", show_time=False):
        images = {
            upload.file_id: known.get(upload.file_id) or _read_upload(upload) for upload in uploads
        }
    st.session_state["read_uploads"] = images
    count = sum(image.is_reduced for image in images.values())
    if count:
        st.caption(f"{pluralize(count, 'image')} reduced to at most {REDUCED_SIDE} pixels.")
    return list(images.values())


def _read_upload(upload: UploadedFile) -> InputImage:
    data = upload.getvalue()
    try:
        reduced = reduce_photo(data)
    except UnusablePhotoError as error:
        problem = ApiProblemError(UNUSABLE, "Unusable image", str(error))
        return InputImage(upload.name, b"", problem)
    return InputImage(upload.name, reduced, is_reduced=reduced is not data)


def _show_samples() -> list[InputImage]:
    """Show the sample digits and return the selected one."""
    check_options(SAMPLE, SAMPLE_DIGITS)
    digit = st.pills("Sample digits", SAMPLE_DIGITS, key=SAMPLE, bind="query-params")
    with st.container(horizontal=True, gap="small", key="examples"):
        for sample in SAMPLE_DIGITS:
            st.image(draw_sample_digit(sample), width=72, alt=f"Sample digit {sample}")
    return [] if digit is None else [InputImage(f"{digit}.png", draw_sample_digit(digit))]
