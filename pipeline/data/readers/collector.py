"""Row collector: images, labels and rejects of an upload, gathered by its reader."""

import os
import unicodedata
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.decoding import decode
from inference.preprocessing.digits import normalize
from pipeline.data.readers.limits import (
    MAX_GROUP_CHARACTERS,
    MAX_IMAGES,
    MAX_LABEL_CHARACTERS,
    MAX_LISTED_REJECTS,
    MAX_PLACE_CHARACTERS,
    MAX_REASON_CHARACTERS,
    TOO_MANY_IMAGES,
    RejectedRowError,
    RejectedUploadError,
    printable,
)

ROWS_PER_CHECK = 64


class RowCollector:
    """Writes canonical images to a file, one after the other, and keeps their labels and places.

    A row is an image of the upload. Its place is a file name in a zip, or a row number.
    """

    def __init__(self, classes: Sequence[str], images: BinaryIO) -> None:
        """`classes` are the labels that the task allows."""
        self._number_of = {label: number for number, label in enumerate(classes)}
        self._images = images
        self._parent = os.getppid()
        self._rows = 0
        self._labels: list[int] = []
        self._places: list[str] = []
        self._groups: list[str | None] = []
        self._rejects: list[tuple[str, str]] = []
        self._rejected = 0

    def add_file(self, data: bytes, label: str, place: str, group: str | None = None) -> None:
        """Add an encoded image, or reject its row. Raises RejectedUploadError."""
        self._count_row()
        try:
            number = self._class_number(label)
            pixels = normalize(decode(data).gray)
            self._add(pixels, number, place, group)
        except (RejectedRowError, UnreadableImageError, UnsupportedImageError) as error:
            self._reject(place, str(error))

    def add_pixels(self, gray: NDArray[np.uint8], label: str, place: str) -> None:
        """Add gray pixels, uint8 of shape (28, 28), or reject their row.

        MNIST's own digits pass unchanged, and ink on white is inverted, as in the service. Raises
        RejectedUploadError.
        """
        self._count_row()
        try:
            self._add(normalize(gray), self._class_number(label), place, None)
        except RejectedRowError as error:
            self._reject(place, str(error))

    def reject(self, place: str, reason: str) -> None:
        """Reject a row. Raises RejectedUploadError."""
        self._count_row()
        self._reject(place, reason)

    def result(self) -> dict[str, Any]:
        """Return everything but the images, as JSON values."""
        return {
            "labels": self._labels,
            "places": self._places,
            "groups": self._groups,
            "rejects": self._rejects,
            "rejected": self._rejected,
        }

    def _count_row(self) -> None:
        """Raise RejectedUploadError beyond the limit, and exit if the parent process died."""
        self._rows += 1
        if self._rows > MAX_IMAGES:
            raise RejectedUploadError(TOO_MANY_IMAGES)
        if self._rows % ROWS_PER_CHECK == 0:
            self._images.flush()  # the parent shows the file's size as progress
            if os.getppid() != self._parent:
                raise SystemExit(1)

    def _class_number(self, label: str) -> int:
        # macOS decomposes the letters of file names.
        number = self._number_of.get(unicodedata.normalize("NFC", label.strip()))
        if number is None:
            shown = printable(label.strip(), MAX_LABEL_CHARACTERS)
            raise RejectedRowError(
                f"The label {shown!r} is not a class of the task ({', '.join(self._number_of)})."
            )
        return number

    def _add(self, pixels: NDArray[np.uint8], number: int, place: str, group: str | None) -> None:
        if not pixels.any():
            raise RejectedRowError("The image is blank, or has no digit.")
        self._images.write(np.ascontiguousarray(pixels).tobytes())
        self._labels.append(number)
        self._places.append(printable(place, MAX_PLACE_CHARACTERS))
        self._groups.append(group and printable(group, MAX_GROUP_CHARACTERS))

    def _reject(self, place: str, reason: str) -> None:
        self._rejected += 1
        if len(self._rejects) < MAX_LISTED_REJECTS:
            self._rejects.append(
                (printable(place, MAX_PLACE_CHARACTERS), printable(reason, MAX_REASON_CHARACTERS))
            )
