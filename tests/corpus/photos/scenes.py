"""Photos of digits on paper, made by code: rules, shadows, tables, pens and cameras.

A scene is built from a sheet, ink, light and a camera. The kinds of photos are in `kinds`.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.corpus.photos.strokes import Coverage, coverage, draw, random_hand

Rng = np.random.Generator
Color = tuple[int, int, int]
Picture = NDArray[np.float32]  # (rows, columns, 3), 0 to 255
DrawDigit = Callable[[tuple[int, int], str, tuple[float, float], float, float, Rng], Coverage]

PAPER, YELLOW, BOARD, BLACKBOARD = (236, 232, 224), (240, 225, 150), (245, 248, 250), (38, 52, 46)
BLACK, BLUE, RED, GREEN, PENCIL, CHALK = (
    (40, 40, 45), (45, 70, 165), (195, 45, 45), (40, 130, 60), (135, 135, 138), (225, 228, 220),
)  # fmt: skip
TABLES: tuple[Color, ...] = ((88, 58, 38), (60, 60, 66), (120, 92, 64), (30, 45, 60))
NO_DIGIT = "none"


@dataclass(frozen=True)
class Photo:
    """An encoded photo. `label` is its digits in order, or NO_DIGIT."""

    kind: str
    label: str
    data: bytes


def draw_digit(
    size: tuple[int, int],
    label: str,
    at: tuple[float, float],
    height: float,
    width: float,
    rng: Rng,
) -> Coverage:
    """Draw a digit in a random hand; `width` is the stroke's, as a share of the height."""
    return draw(size, label, at, height, random_hand(rng, width), rng)


def paper(size: tuple[int, int], color: Color, rng: Rng, grain: float = 2.0) -> Picture:
    """Return a sheet with the grain of paper."""
    coarse = rng.normal(0, grain, (size[1] // 8 + 1, size[0] // 8 + 1)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    grained: Picture = np.asarray(color, np.float32) + np.asarray(smooth)[..., np.newaxis]
    return grained


def ink(picture: Picture, covered: Coverage, color: Color, strength: float = 1.0) -> Picture:
    """Put ink of a color on a picture."""
    share = (covered * strength)[..., np.newaxis]
    mixed: Picture = picture * (1 - share) + np.asarray(color, np.float32) * share
    return mixed


def rules(
    picture: Picture,
    step: int,
    color: Color,
    *,
    is_squared: bool = False,
    width: int = 1,
    angle: float = 0.0,
    rng: Rng | None = None,
) -> Picture:
    """Draw the lines of a notebook, or its squares; `angle` in degrees."""
    rows, columns = picture.shape[:2]
    lines = Image.new("L", (columns, rows))
    pen = ImageDraw.Draw(lines)
    reach, slope = max(rows, columns), np.tan(np.deg2rad(angle))
    shift = int(rng.integers(step)) if rng else 0
    for at in range(shift - reach, 2 * reach, step):
        pen.line((0, at, reach, at + reach * slope), fill=255, width=width)
        if is_squared:
            pen.line((at, 0, at - reach * slope, reach), fill=255, width=width)
    return ink(picture, coverage(lines), color)


def light(picture: Picture, kind: str, rng: Rng) -> Picture:
    """Put a shadow on a picture."""
    rows, columns = picture.shape[:2]
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j].astype(np.float32)
    dark = rng.uniform(0.3, 0.5)
    if kind == "side":
        shade = 1 - (1 - dark) * x
    elif kind == "corner":
        shade = 1 - (1 - dark) * (x + y) / 2
    elif kind == "vignette":
        shade = 1 - (1 - dark) * np.minimum(1, 1.6 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))
    elif kind == "hand":
        edge = x + rng.uniform(0.2, 0.6) * y - rng.uniform(0.6, 1.0)
        shade = 1 - (1 - dark) / (1 + np.exp(-edge / rng.uniform(0.015, 0.05)))
    else:  # the shadow of a phone: a soft rectangle over most of the sheet
        box = np.minimum.reduce([x - 0.2, 1.1 - x, y - 0.25, 1.2 - y])
        shade = 1 - (1 - dark) / (1 + np.exp(-box / 0.02))
    shaded: Picture = picture * shade[..., np.newaxis].astype(np.float32)
    return shaded


def on_table(
    picture: Picture, table: Color, rng: Rng, *, angle: float, margin: float = 0.2, skew: float = 0
) -> Picture:
    """Lay a sheet on a table, turned by an angle in degrees; `skew` is the view's perspective."""
    rows, columns = picture.shape[:2]
    size = round(columns * (1 + 2 * margin)), round(rows * (1 + 2 * margin))
    wood = paper(size, table, rng, grain=5)
    sheet = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], float)
    turn = np.deg2rad(angle)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    placed = (corners - corners.mean(0)) @ spin.T + np.array(size) / 2
    placed += rng.uniform(-skew, skew, (4, 2)) * min(rows, columns)
    matrix, values = [], []
    for (x, y), (u, v) in zip(placed, corners, strict=True):
        matrix += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    view = tuple(np.linalg.solve(np.array(matrix), np.array(values)))
    bilinear = Image.Resampling.BILINEAR
    laid = sheet.transform(size, Image.Transform.PERSPECTIVE, view, bilinear)
    cover = Image.new("L", sheet.size, 255).transform(
        size, Image.Transform.PERSPECTIVE, view, bilinear
    )
    share = coverage(cover)[..., np.newaxis]
    mixed: Picture = wood * (1 - share) + np.asarray(laid, np.float32) * share
    return mixed


def shot(
    picture: Picture,
    rng: Rng,
    *,
    noise: float = 2.5,
    blur: float = 0.7,
    motion: int = 0,
    quality: int = 85,
    orientation: int = 0,
) -> bytes:
    """Take the photo: blur, noise, and JPEG; `orientation` is EXIF's."""
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(blur))
    values = np.asarray(image, np.float32)
    if motion:
        values = np.mean([np.roll(values, i, axis=1) for i in range(motion)], axis=0)
    values = values + rng.normal(0, noise, values.shape[:2]).astype(np.float32)[..., np.newaxis]
    image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    if orientation:
        turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
                 8: Image.Transpose.ROTATE_270}  # fmt: skip
        image, exif[0x0112] = image.transpose(turns[orientation]), orientation
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def printed(size: tuple[int, int], label: str, at: tuple[float, float], height: float) -> Coverage:
    """Return the coverage of a printed digit."""
    image = Image.new("L", size)
    font = ImageFont.load_default(size=round(height * 1.35))
    ImageDraw.Draw(image).text(at, label, fill=255, font=font, anchor="mm")
    return coverage(image)
