"""Reader of photos: gray pixels to the ink of one digit, cropped and upright."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from inference.preprocessing.canonical import BOX, INK_THRESHOLD
from inference.preprocessing.photos.components import find_components
from inference.preprocessing.photos.grouping import Digits, find_digits
from inference.preprocessing.photos.ink import Gray, has_light_ink, map_ink, shrink, spread
from inference.preprocessing.photos.rules import find_ruling
from inference.preprocessing.photos.sheet import find_sheet

WORK_SIDE = 448  # pixels
FINE_SIDE = 90  # pixels; a smaller digit is read again from the picture around it
LEVELS = (150, 110, 80, 56, 40, 29, 21, 15, 11)  # ink strengths at which a digit is sought
# Columns per row. Digits of MNIST slant as much, and a photo held askew turns them further.
NATURAL_SLANT = 0.2
MIN_STROKE = 1.9  # pixels in the box of 20
KEPT_SHARE = 0.42  # of the digit's strength


class PhotoDigit(NamedTuple):
    """Ink of a digit, uint8 of shape (height, width), high ink, and the count of digits."""

    ink: Gray
    total: int


def read_photo(gray: Gray) -> PhotoDigit | None:
    """Return the digit of a photo, or None if there is none."""
    work = shrink(gray, WORK_SIDE)
    sheet = find_sheet(work)
    if sheet is not None:
        rows, columns = np.flatnonzero(sheet.any(1)), np.flatnonzero(sheet.any(0))
        inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        filled = np.where(sheet, work, np.uint8(np.median(work[sheet])))[inside]
        top, left = rows[0], columns[0]
    else:
        filled, top, left = work, 0, 0
    is_light = has_light_ink(filled)
    found = _find(filled, is_light=is_light)
    if found is None:
        return None
    ink, digits = found
    scale = max(gray.shape) / max(work.shape)
    box = digits.box
    side = max(box[1] - box[0], box[3] - box[2])
    if side < FINE_SIDE and scale > 1:
        margin = 0.6 * side
        y0, y1 = (max(0, round((v + top) * scale)) for v in (box[0] - margin, box[1] + margin))
        x0, x1 = (max(0, round((v + left) * scale)) for v in (box[2] - margin, box[3] + margin))
        again = _find(shrink(gray[y0:y1, x0:x1], WORK_SIDE // 2), is_light=is_light)
        if again is not None:
            ink = again[0]
    return PhotoDigit(ink, digits.total)


def _find(gray: Gray, *, is_light: bool) -> tuple[Gray, Digits] | None:
    """Return the ink of the digit, cropped to it, and the digits of a picture of one sheet."""
    ink = map_ink(gray, is_light=is_light)
    min_side = max(9.0, 0.04 * max(gray.shape))
    ruling = find_ruling(ink.strength, max(ink.noise, LEVELS[-1]))
    for level in LEVELS:
        if level < ink.noise:
            return None
        components = find_components(ruling.remove(ink.strength > level))
        digits = find_digits(components, min_side)
        if digits is not None:
            break
    else:
        return None
    strong = float(np.percentile(ink.strength[components.paint(digits.parts)], 75))
    is_ink = ink.strength > max(KEPT_SHARE * strong, ink.noise)
    components = find_components(ruling.remove(is_ink))
    digits = find_digits(components, min_side) or digits
    if digits.parts.size != components.area.size:
        return None
    mask = components.paint(digits.parts)
    wide = np.pad(mask, 1)
    mask = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    shades = np.minimum(ink.strength * (255 / strong), 255)
    shades = np.where(mask, shades, 0).astype(np.uint8)
    top, bottom, left, right = digits.box
    crop = shades[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1]
    return _thicken(_straighten(crop)), digits


def _straighten(ink: Gray) -> Gray:
    """Shear a slanted digit until its slant is natural. The slant is that of its second moments."""
    mass = ink.astype(np.float64)
    rows, columns = np.arange(ink.shape[0]), np.arange(ink.shape[1])
    total = mass.sum()
    middle = float(mass.sum(axis=1) @ rows) / total
    rows = rows - middle
    columns = columns - float(mass.sum(axis=0) @ columns) / total
    slant = float(rows @ mass @ columns) / max(float(mass.sum(axis=1) @ rows**2), 1.0)
    excess = slant - min(max(slant, -NATURAL_SLANT), NATURAL_SLANT)
    if not excess:
        return ink
    margin = int(abs(excess) * ink.shape[0]) + 1
    image = Image.fromarray(np.pad(ink, ((0, 0), (margin, margin))))
    shear = (1, excess, -excess * middle, 0, 1, 0)
    upright = np.asarray(
        image.transform(image.size, Image.Transform.AFFINE, shear, Image.Resampling.BILINEAR)
    )
    inked = np.flatnonzero(upright.any(axis=0))
    return upright[:, inked[0] : inked[-1] + 1]


def _thicken(ink: Gray) -> Gray:
    """Widen thin strokes: MNIST's are 2 to 3 pixels wide in a box of 20."""
    mask = ink >= INK_THRESHOLD
    inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    edge = int(mask.sum()) - int(inner.sum())
    width = 2 * int(mask.sum()) / max(edge, 1)
    missing = MIN_STROKE * max(ink.shape) / BOX - width
    extra = round(missing / 2)
    if extra < 1:
        return ink
    return spread(np.pad(ink, extra), 2 * extra + 1)
