"""Grouping: the components of a mask to digits, each of one or several parts."""

from typing import NamedTuple

import numpy as np

from inference.preprocessing.photos.components import Components, Mask

# Shares of the larger part's longer side.
NEAR_SHARE = 0.16  # between the parts of a digit
MIN_PART_SHARE = 0.1
MIN_DIGIT_SHARE = 0.45  # of the largest digit's longer side
TALL_SHARE = 0.6  # two parts as tall as this, side by side, are two digits
BLOB_FILL = 0.68  # of its box: a hole or a speck, not a stroke
MAX_CUT_FILL = 0.45  # of its box, if the picture's border cuts it
MAX_ASPECT = 2.6  # width by height: a rule's rest, not a digit


class Digits(NamedTuple):
    """Digits of a mask: which components the chosen one has, its box, and how many there are."""

    parts: Mask
    box: tuple[int, int, int, int]  # top, bottom, left, right
    total: int


def find_digits(components: Components, min_side: float) -> Digits | None:
    """Return the digits among components, or None if there is none.

    `min_side` is the longer side of the smallest digit, in pixels. The largest digit is chosen,
    and of about equal ones that nearest to the center.
    """
    height, width = components.runs.shape
    longer = np.maximum(components.height, components.width)
    fill = components.area / np.maximum(components.height * components.width, 1)
    is_blob = (fill > BLOB_FILL) & (components.height < 2 * components.width)
    is_flat = components.width > MAX_ASPECT * components.height
    sides = (
        (components.top <= 0).astype(int)
        + (components.left <= 0)
        + (components.bottom >= height)
        + (components.right >= width)
    )
    is_seed = (longer >= min_side) & ~is_blob & ~is_flat & (sides == 0)
    if not is_seed.any():
        # A digit may be cut by one side of the picture. Tables and fingers fill more of their box.
        is_cut = (sides == 1) & (fill < MAX_CUT_FILL)
        is_seed = (longer >= min_side) & ~is_blob & ~is_flat & is_cut
    if not is_seed.any():
        return None
    usable = (sides == 0) | is_seed
    order = np.argsort(-longer, kind="stable")
    digits: list[list[int]] = []
    for index in order:
        if not usable[index]:
            continue
        home = next((d for d in digits if _belongs(components, d, int(index))), None)
        if home is not None:
            home.append(int(index))
        elif is_seed[index] and (
            not digits or longer[index] >= MIN_DIGIT_SHARE * longer[digits[0]].max()
        ):
            digits.append([int(index)])
    boxes = np.array([_box(components, digit) for digit in digits])
    size = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    is_digit = size >= MIN_DIGIT_SHARE * size.max()
    center = np.hypot(
        (boxes[:, 0] + boxes[:, 1] - height) / height, (boxes[:, 2] + boxes[:, 3] - width) / width
    )
    rank = size / size.max() - 0.3 * center
    chosen = int(np.argmax(np.where(is_digit, rank, -9)))
    parts = np.zeros(longer.size, np.bool_)
    parts[digits[chosen]] = True
    return Digits(parts, tuple(int(v) for v in boxes[chosen]), int(is_digit.sum()))  # type: ignore[arg-type]


def _box(components: Components, digit: list[int]) -> tuple[int, int, int, int]:
    return (
        int(components.top[digit].min()),
        int(components.bottom[digit].max()),
        int(components.left[digit].min()),
        int(components.right[digit].max()),
    )


def _belongs(components: Components, digit: list[int], part: int) -> bool:
    """Return whether a component is a part of a digit, which has larger parts."""
    top, bottom, left, right = _box(components, digit)
    size = max(bottom - top, right - left)
    part_top, part_bottom = int(components.top[part]), int(components.bottom[part])
    part_left, part_right = int(components.left[part]), int(components.right[part])
    longer = max(part_bottom - part_top, part_right - part_left)
    if longer < MIN_PART_SHARE * size:
        return False
    gap_x = max(part_left - right, left - part_right)
    gap_y = max(part_top - bottom, top - part_bottom)
    if max(gap_x, gap_y) > NEAR_SHARE * size:
        return False
    if part_bottom - part_top >= TALL_SHARE * (bottom - top):  # side by side
        return gap_x < 0.02 * size
    if gap_y > 0 and longer >= TALL_SHARE * size:  # one above the other
        return gap_y < 0.08 * size
    return True
