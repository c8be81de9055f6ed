"""The images that are sent: 28x28, 8-bit grey, as PNG, and no two alike, so that no cache answers by chance."""

import io
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 28


def pngs(count: int) -> list[bytes]:
    """Return `count` different PNGs of digits: MNIST's test digits where MNIST_PATH names the file, else rendered ones."""
    path = os.environ.get("MNIST_PATH")
    if path:
        with np.load(path) as arrays:
            return [_png(pixels) for pixels in arrays["x_test"][:count]]
    chance = np.random.default_rng(0)
    return [_png(_rendered(str(index % 10), chance)) for index in range(count)]


def source() -> str:
    """Say which images `pngs` returns."""
    return "MNIST's test digits" if os.environ.get("MNIST_PATH") else "rendered digits"


def _rendered(label: str, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return a digit of a chance size, slant and place, with blurred edges and some noise: as hard to compress as MNIST's."""
    canvas = Image.new("L", (SIDE * 4, SIDE * 4), 0)
    font = ImageFont.load_default(size=float(chance.uniform(70, 95)))
    x, y = chance.uniform(50, 62, 2)
    ImageDraw.Draw(canvas).text((x, y), label, fill=255, font=font, anchor="mm", stroke_width=3)
    tilted = canvas.rotate(float(chance.uniform(-15, 15))).resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.array(tilted)
    ink = pixels > 0
    pixels[ink] = np.clip(pixels[ink] - chance.integers(0, 40, int(ink.sum())), 1, 255)
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
