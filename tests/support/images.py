"""Drawn digits, and images encoded by Pillow."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont


def drawn(
    text: str = "5",
    side: int = 28,
    ink: int = 255,
    paper: int = 0,
    at: tuple[float, float] = (0.5, 0.5),
) -> NDArray[np.uint8]:
    """Draw text centered at a point of a square, given as fractions of its side."""
    image = Image.new("L", (side, side), paper)
    font = ImageFont.load_default(size=round(side * 0.6))
    ImageDraw.Draw(image).text((at[0] * side, at[1] * side), text, fill=ink, font=font, anchor="mm")
    return np.asarray(image)


def encoded(pixels: NDArray[np.uint8] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Encode pixels or an image in a format of Pillow's."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
