"""CSV layout: the columns of the label and of the image, from the header or from the first rows.

Known layouts: `label,pixel0..pixel783` (Kaggle's digit recognizer), `label,1x1..28x28` (Kaggle's
MNIST in CSV), `pixel1..pixel784,class` (OpenML, as scikit-learn exports it), 785 numbers without a
header, and `label,image` with the image file in base64.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from inference.preprocessing.canonical import SIDE
from pipeline.data.readers.limits import MAX_COLUMNS, RejectedUploadError

PIXELS = SIDE * SIDE
LABEL_NAMES = frozenset({"label", "labels", "class", "target", "y", "digit"})
IMAGE_NAMES = frozenset({"image", "img", "png", "data", "base64"})
IGNORED_NAMES = frozenset({"", "unnamed: 0", "index", "id", "split"})
NUMBERED_PIXEL = re.compile(r"(?:pixel|px|p|x)?[ _]?(\d{1,3})")
PLACED_PIXEL = re.compile(r"(\d{1,2})[x_](\d{1,2})")
NUMBER = re.compile(r"-?\d+(\.\d*)?")
MIN_BASE64_CHARACTERS = 40
COLUMNS = (
    f"Use the columns label,pixel0..pixel{PIXELS - 1}, or label,image with the image file in "
    "base64."
)
BLANK = "0"  # the value of most border pixels


@dataclass(frozen=True)
class CsvLayout:
    """Indices of columns. An image is `image`, or the 784 `pixels` row by row."""

    label: int
    has_header: bool
    image: int | None = None
    pixels: tuple[int, ...] = ()
    columns: int = 0


def find_layout(rows: Sequence[Sequence[str]], classes: Collection[str]) -> CsvLayout:
    """Return the layout of a CSV file from its first rows. Raises RejectedUploadError."""
    if not rows:
        raise RejectedUploadError(f"The file is empty. {COLUMNS}")
    first = [cell.strip().lower() for cell in rows[0]]
    if len(first) > MAX_COLUMNS:
        raise RejectedUploadError(f"The file has {len(first):,} columns. {COLUMNS}")
    if len(first) < 2:  # noqa: PLR2004
        raise RejectedUploadError(f"The first line has a single column. {COLUMNS}")
    if any(name in LABEL_NAMES for name in first):
        return _from_header(first)
    return _without_header(rows, first, classes)


def _from_header(names: Sequence[str]) -> CsvLayout:
    labels = [index for index, name in enumerate(names) if name in LABEL_NAMES]
    if len(labels) != 1:
        raise RejectedUploadError(f"The header has several columns for the label. {COLUMNS}")
    images = [index for index, name in enumerate(names) if name in IMAGE_NAMES]
    if len(images) == 1:
        return CsvLayout(labels[0], has_header=True, image=images[0], columns=len(names))
    pixels: dict[tuple[int, int], int] = {}
    for index, name in enumerate(names):
        if index == labels[0] or name in IGNORED_NAMES:
            continue
        place = _place(name)
        if place is None or place in pixels:
            raise RejectedUploadError(
                f"Column {index + 1} of the header is neither a label nor a pixel, or is there "
                f"twice. {COLUMNS}"
            )
        pixels[place] = index
    places = sorted(pixels)
    if places not in EXPECTED_PLACES:
        raise RejectedUploadError(
            f"The header names {len(places):,} pixels instead of {PIXELS}. {COLUMNS}"
        )
    return CsvLayout(
        labels[0],
        has_header=True,
        pixels=tuple(pixels[place] for place in places),
        columns=len(names),
    )


def _place(name: str) -> tuple[int, int] | None:
    """Return a pixel's row and column, or 0 and its number."""
    if placed := PLACED_PIXEL.fullmatch(name):
        return int(placed[1]), int(placed[2])
    if numbered := NUMBERED_PIXEL.fullmatch(name):
        return 0, int(numbered[1])
    return None


EXPECTED_PLACES = [
    *([(0, number) for number in range(start, start + PIXELS)] for start in (0, 1)),
    *(
        [
            (row, column)
            for row in range(start, start + SIDE)
            for column in range(start, start + SIDE)
        ]
        for start in (0, 1)
    ),
]


def _without_header(
    rows: Sequence[Sequence[str]], first: Sequence[str], classes: Collection[str]
) -> CsvLayout:
    """Return the layout of rows without a header: the label is in the first or the last column."""
    last = len(first) - 1
    if len(first) == 2:  # noqa: PLR2004
        long = [index for index, cell in enumerate(first) if len(cell) >= MIN_BASE64_CHARACTERS]
        if len(long) == 1:
            return CsvLayout(1 - long[0], has_header=False, image=long[0], columns=2)
    elif len(first) == PIXELS + 1 and sum(map(_is_number, first)) >= PIXELS:
        columns = [_is_label_column(rows, index, classes) for index in (0, last)]
        if columns == [True, False]:
            return CsvLayout(
                0, has_header=False, pixels=tuple(range(1, last + 1)), columns=last + 1
            )
        if columns == [False, True]:
            return CsvLayout(last, has_header=False, pixels=tuple(range(last)), columns=last + 1)
        raise RejectedUploadError(
            "Without a header, it is not clear which column is the label. Add a header. " + COLUMNS
        )
    raise RejectedUploadError(f"The first line has no column named label. {COLUMNS}")


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _is_label_column(rows: Sequence[Sequence[str]], index: int, classes: Collection[str]) -> bool:
    """Return whether a column holds classes only, and not just a blank border pixel."""
    values = {row[index].strip() for row in rows if len(row) > index}
    return values <= set(classes) and values != {BLANK}
