"""npz reader: the arrays `images` (uint8, n x 28 x 28) and `labels` of NumPy's savez.

Headers are checked before the arrays are read, and pickled objects are never loaded.
"""

import zipfile
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from inference.preprocessing.canonical import SIDE
from pipeline.data.readers.archive import UNPACK_ERRORS, check_member, open_archive
from pipeline.data.readers.collector import RowCollector
from pipeline.data.readers.limits import (
    MAX_IMAGES,
    MAX_LABEL_CHARACTERS,
    TOO_MANY_IMAGES,
    RejectedRowError,
    RejectedUploadError,
)

SUFFIX = ".npy"
PIXELS = SIDE * SIDE
SHAPES = ((SIDE, SIDE), (SIDE, SIDE, 1), (PIXELS,))
IMAGES_AT_ONCE = 1000
LAYOUT = "Save it with np.savez(file, images=..., labels=...): uint8 of n x 28 x 28, and n labels."
MAX_HEADER_BYTES = 10_000
HEADERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
LABEL_KINDS = "iuUS"


def is_npz(archive: zipfile.ZipFile) -> bool:
    """Return whether all members of a zip file are NumPy arrays."""
    names = archive.namelist()
    return bool(names) and all(name.endswith(SUFFIX) for name in names)


def read_npz(file: BinaryIO, size: int, rows: RowCollector) -> None:
    """Read an npz file of `size` bytes. Raises RejectedUploadError."""
    with open_archive(file, size) as archive:
        names = {name.removesuffix(SUFFIX) for name in archive.namelist()}
        if not {"images", "labels"} <= names:
            raise RejectedUploadError(
                f"The npz file does not have the arrays images and labels. {LAYOUT}"
            )
        try:
            labels = _read_labels(archive)
            _read_images(archive, labels, rows)
        except RejectedRowError as error:
            raise RejectedUploadError(str(error)) from error
        except UNPACK_ERRORS as error:
            raise RejectedUploadError(f"The npz file is damaged. {LAYOUT}") from error


def _read_images(archive: zipfile.ZipFile, labels: list[str], rows: RowCollector) -> None:
    with _open(archive, "images") as member:
        shape, fortran_order, dtype = _header(member)
        if dtype != np.uint8 or shape[1:] not in SHAPES or fortran_order:
            raise RejectedUploadError(
                f"images is {dtype} of shape {_shown(shape)}, in "
                f"{'Fortran' if fortran_order else 'C'} order. {LAYOUT}"
            )
        if shape[0] != len(labels):
            raise RejectedUploadError(
                f"The file has {shape[0]:,} images and {len(labels):,} labels. {LAYOUT}"
            )
        for start in range(0, shape[0], IMAGES_AT_ONCE):
            count = min(IMAGES_AT_ONCE, shape[0] - start)
            block = _read_exactly(member, count * PIXELS)
            images = np.frombuffer(block, np.uint8).reshape(count, SIDE, SIDE)
            for index, image in enumerate(images, start):
                rows.add_pixels(image, labels[index], f"images[{index}]")


def _read_labels(archive: zipfile.ZipFile) -> list[str]:
    with _open(archive, "labels") as member:
        shape, fortran_order, dtype = _header(member)
        if dtype.hasobject:
            raise RejectedUploadError(
                "labels holds Python objects, which are never loaded. "
                "Save integers or strings: labels.astype(str)."
            )
        if (
            dtype.kind not in LABEL_KINDS
            or dtype.itemsize > 4 * MAX_LABEL_CHARACTERS
            or len(shape) - shape[1:].count(1) != 1
            or fortran_order
        ):
            raise RejectedUploadError(
                f"labels is {dtype} of shape {_shown(shape)}, and must be n integers or strings. "
                f"{LAYOUT}"
            )
        array: NDArray[Any] = np.frombuffer(_read_exactly(member, shape[0] * dtype.itemsize), dtype)
    if dtype.kind == "S":
        return [bytes(label).decode(errors="replace") for label in array]
    return [str(label) for label in array]


def _open(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    member = archive.getinfo(name + SUFFIX)
    check_member(member)
    return archive.open(member)


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return an array's shape, order and type. Raises RejectedUploadError and UNPACK_ERRORS."""
    read = HEADERS.get(npy_format.read_magic(member))
    if read is None:
        raise RejectedUploadError(f"An array has an unknown format version. {LAYOUT}")
    shape, fortran_order, dtype = read(member, max_header_size=MAX_HEADER_BYTES)
    if not shape or dtype.itemsize == 0:
        raise RejectedUploadError(f"An array is empty, or a single value. {LAYOUT}")
    if shape[0] > MAX_IMAGES:
        raise RejectedUploadError(TOO_MANY_IMAGES)
    return shape, fortran_order and len(shape) > 1, dtype


def _read_exactly(member: IO[bytes], count: int) -> bytes:
    content = member.read(count)
    if len(content) != count:
        raise EOFError
    return content


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape[:5]))
