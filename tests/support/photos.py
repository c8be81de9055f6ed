"""Photos of sheets of paper, drawn by code: as many pixels and bytes as a phone gives."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ORIENTATION = 0x0112  # EXIF tag


def noisy_photo(
    digits: str = "7",
    size: tuple[int, int] = (4000, 3000),
    orientation: int = 1,
    noise: int = 24,
    **options: Any,
) -> bytes:
    """Return a JPEG file of digits in a row on gray paper.

    `orientation` is the EXIF value; the digits are upright when it is applied. `noise` is the
    standard deviation of the pixels, which determines the size of the file.
    """
    small = Image.new("L", (size[0] // 10, size[1] // 10), 200)
    draw = ImageDraw.Draw(small)
    for index, digit in enumerate(digits):
        x = small.width * (index + 1) / (len(digits) + 1)
        draw.text(
            (x, small.height / 2),
            digit,
            30,
            font_size=small.height // 2,
            anchor="mm",
            stroke_width=2,
        )
    photo = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.int16)[..., None]
    random = np.random.default_rng(0)
    noisy = photo + random.normal(0, noise, (*photo.shape[:2], 3)).astype(np.int16)
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    turns = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    turn = turns[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    out = io.BytesIO()
    (image if turn is None else image.transpose(turn)).save(
        out, "JPEG", **{"quality": 90, "exif": exif, **options}
    )
    return out.getvalue()
