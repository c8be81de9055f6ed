"""Thumbnails of stored predictions: from the kept pixels, else from the original."""

import io
from collections.abc import Sequence

import streamlit as st
from PIL import Image

from web.components.thumbnail import ThumbnailError, make_thumbnail
from web.data.tracking.history_types import LoggedPrediction
from web.formatting import escape_markdown, format_percent
from web.sources import Sources
from web.tables.run_names import markdown_link

SIDE = 28
SHOWN_PIXELS = 84
ARROW = "\N{RIGHTWARDS ARROW}"


def prediction_images(
    sources: Sources, predictions: Sequence[LoggedPrediction]
) -> list[bytes | None]:
    """Return a PNG for each prediction, None for an image that is not stored."""
    missing = [one.image_digest for one in predictions if one.pixels is None]
    originals = dict(zip(missing, sources.images.get(missing), strict=True)) if missing else {}
    return [
        pixel_png(one.pixels)
        if one.pixels is not None
        else _thumbnail(originals.get(one.image_digest))
        for one in predictions
    ]


def pixel_png(pixels: bytes) -> bytes:
    """Return the PNG of 784 bytes of model input, black on white as on paper."""
    image = Image.frombytes("L", (SIDE, SIDE), bytes(255 - value for value in pixels))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _thumbnail(data: bytes | None) -> bytes | None:
    if data is None:
        return None
    try:
        return make_thumbnail(data, side=2 * SHOWN_PIXELS)
    except ThumbnailError:
        return None


def describe_prediction(one: LoggedPrediction) -> str:
    """Return the answer, its confidence, and the label if it differs, in Markdown."""
    answer = f"**{escape_markdown(one.label)}** {format_percent(one.confidence)}"
    if one.true_label is None:
        return answer
    if one.is_wrong:
        return f":red[{answer} {ARROW} {escape_markdown(one.true_label)}]"
    return f":green[{answer}]"


def show_predictions(
    sources: Sources, predictions: Sequence[LoggedPrediction], *, key: str
) -> None:
    """Show thumbnails with their answers in rows that wrap."""
    images = prediction_images(sources, predictions)
    with st.container(horizontal=True, gap="small", key=f"view-{key}"):
        for one, image in zip(predictions, images, strict=True):
            with st.container(width=SHOWN_PIXELS + 12, gap=None):
                show_image(one, image, SHOWN_PIXELS)
                st.caption(describe_prediction(one))


def show_image(one: LoggedPrediction, image: bytes | None, width: int) -> None:
    """Show the image of a prediction, or that it is not stored."""
    if image is None:
        st.caption("Image not stored")
    else:
        st.image(image, width=width, alt=f"Image predicted as {one.label}")


def link_to_model(one: LoggedPrediction) -> str:
    """Return the model of a prediction in Markdown, with a link to the page of its experiment."""
    return f"{markdown_link(one.experiment)}, version {one.version}"
