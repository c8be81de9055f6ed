"""Sheet of paper on a table: its place in a picture."""

import math

import numpy as np
from PIL import Image, ImageFilter

from inference.preprocessing.photos.components import Mask, find_components
from inference.preprocessing.photos.ink import Gray, spread

SMALL_SIDE = 128  # pixels of the copy on which the sheet is sought
FRAME = 5  # pixels of the copy; its border's shades, after smoothing, come from within four
MIN_CONTRAST = 50  # of 255, between table and sheet
LIGHT = 40  # of 255; see `_has_little_light`
# Of its box, if turned by up to 12 degrees, and its sides. A thick stroke fills less, or is longer.
MIN_FILL, MAX_ASPECT = 0.7, 2.5
MIN_AREA = 0.12  # of the picture
MAX_BORDER = 0.35  # of the picture's border; a shadow leaves more of it light
MIN_SHARPNESS = 0.5  # of the contrast, within four pixels; a shadow's edge is softer


def find_sheet(gray: Gray) -> Mask | None:
    """Return where the largest light sheet lies, a mask of the picture's shape without its edge.

    Return None for a picture that is all sheet.
    """
    table = _find_frame(gray)
    if table is not None and int(gray.max()) - table < MIN_CONTRAST:
        return None
    image = Image.fromarray(gray)
    small = image.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    if table is not None and _has_little_light(np.asarray(small), table):
        return None
    sheet = _find_outline(small)
    if sheet is None:
        return None
    inside = Image.fromarray(_shrink(sheet, 3).astype(np.uint8) * 255)
    return np.asarray(inside.resize(image.size, Image.Resampling.NEAREST)) > 0


def _find_outline(small: Image.Image) -> Mask | None:
    """Return where the sheet lies in the small copy of a picture, with what is on it."""
    smooth = small.filter(ImageFilter.GaussianBlur(1))
    shades = np.asarray(smooth)
    border = np.concatenate([shades[0], shades[-1], shades[:, 0], shades[:, -1]])
    table, paper = float(np.median(border)), _upper_quartile(smooth)
    if paper - table < MIN_CONTRAST:
        return None
    light = find_components(shades > (table + paper) / 2)
    if not light.area.size:
        return None
    largest = int(light.area.argmax())
    sides = sorted((int(light.height[largest]), int(light.width[largest])))
    if light.area[largest] < MIN_FILL * sides[0] * sides[1] or sides[1] > MAX_ASPECT * sides[0]:
        return None
    sheet = light.paint(np.arange(light.area.size) == largest)
    dark = find_components(~sheet)
    height, width = sheet.shape
    is_outside = (
        (dark.top == 0) | (dark.left == 0) | (dark.bottom == height) | (dark.right == width)
    )
    sheet = ~dark.paint(is_outside)  # with its ink
    edge = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    if sheet.mean() < MIN_AREA or edge.mean() > MAX_BORDER:
        return None
    inner, outer = _shrink(sheet, 2), ~_shrink(~sheet, 2)
    around = outer & ~inner
    raw = np.asarray(small)
    local = spread(raw, 5).astype(np.int32) - (255 - spread(255 - raw, 5).astype(np.int32))
    if np.median(local[around]) < MIN_SHARPNESS * (paper - table):
        return None
    return sheet


def _find_frame(gray: Gray) -> int | None:
    """Return the shade of the table if a frame of one shade tells it, as it does in a drawing.

    The frame is wider than the border of the smoothed copy, which has the same shade then.
    """
    shade = int(gray[0, 0])
    width = max(FRAME, -(-FRAME * max(gray.shape) // SMALL_SIDE))
    if 4 * min(gray.shape) < max(gray.shape):  # the copy's shorter side is rounded
        return None
    edges = gray[:width], gray[-width:], gray[:, :width], gray[:, -width:]
    return shade if all(bool((edge == shade).all()) for edge in edges) else None


def _has_little_light(small: Gray, table: int) -> bool:
    """Return whether less than a quarter of a small copy can be lighter than its table.

    A pixel stays darker than by MIN_CONTRAST if none within two pixels is lighter by LIGHT:
    smoothing takes 2 % of its shade from farther ones, and rounds six times.
    """
    near = spread(small, 5)
    return bool(np.count_nonzero(near >= table + LIGHT) < (small.size - 1) // 4)


def _upper_quartile(image: Image.Image) -> float:
    """Return the 75th percentile of an image's shades, as numpy's but from its histogram."""
    position = 0.75 * (image.width * image.height - 1)
    below = np.cumsum(image.histogram())
    low, high = np.searchsorted(below, (int(position), math.ceil(position)), "right")
    return float(low + (high - low) * (position % 1))


def _shrink(mask: Mask, pixels: int) -> Mask:
    """Return a mask without its outermost pixels. The picture's border is not an edge."""
    is_kept: Mask = spread((~mask).view(np.uint8), 2 * pixels + 1) == 0
    return is_kept
