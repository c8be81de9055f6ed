"""Weights validator: accepts HDF5 files that are trees of finite numbers.

All data must be in the file itself, uncompressed, and no larger than the file.
"""

import io
import math
from typing import Any

import h5py
import numpy as np

from inference.model_format.safe_open import SAVE_AGAIN, RejectedModelError

MAX_OBJECTS = 10_000
MAX_ATTRIBUTE_BYTES = 2**16
BFLOAT16 = np.dtype("V2")
EXCESS_DATA = f"The weights declare more data than the file holds. {SAVE_AGAIN}"


def check_weights(content: bytes) -> None:
    """Raise RejectedModelError unless an HDF5 file is a tree of finite numbers."""
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_tree(file, len(content))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RejectedModelError(
            f"The weights are not a valid HDF5 file: {first_line(error)}. Copy the file again."
        ) from error


def _check_tree(root: h5py.File, size: int) -> None:
    """Check every group and dataset once.

    `size` is the size of the file in bytes. Raises RejectedModelError and whatever h5py raises.
    """
    declared = 0
    addresses: set[int] = set()
    groups: list[h5py.Group] = [root]
    while groups:
        group = groups.pop()
        _check_attributes(group)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RejectedModelError(f"The weights link to other data. {SAVE_AGAIN}")
            child = group[name]
            address = h5py.h5o.get_info(child.id).addr
            if address in addresses:
                raise RejectedModelError(
                    f"The weights hold the same object under two names. {SAVE_AGAIN}"
                )
            addresses.add(address)
            if len(addresses) > MAX_OBJECTS:
                raise RejectedModelError(
                    f"The weights have more than {MAX_OBJECTS} parts. Make a smaller model."
                )
            if isinstance(child, h5py.Group):
                groups.append(child)
                continue
            _check_attributes(child)
            declared += _dataset_bytes(child)
            if declared > size:
                raise RejectedModelError(EXCESS_DATA)


def _dataset_bytes(dataset: Any) -> int:
    """Return the declared size of a dataset in bytes.

    Raises RejectedModelError unless it is a plain array of finite numbers.
    """
    if not isinstance(dataset, h5py.Dataset) or not (
        dataset.dtype.kind in "fiu" or _is_bfloat16(dataset)
    ):
        raise RejectedModelError(
            f"The weights hold an object that is not an array of numbers. {SAVE_AGAIN}"
        )
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or properties.get_nfilters():
        raise RejectedModelError(f"The weights are compressed or in other files. {SAVE_AGAIN}")
    size: int = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > dataset.id.get_storage_size():
        raise RejectedModelError(EXCESS_DATA)
    if size and dataset.dtype.kind != "i" and not _is_finite(dataset[()]):
        raise RejectedModelError(
            "The weights hold NaN or infinity: the training may have diverged. "
            "Train the model again with a lower learning rate."
        )
    return size


def _is_bfloat16(dataset: Any) -> bool:
    """Return whether Keras wrote a dataset as bfloat16, which HDF5 lacks."""
    return bool(dataset.dtype == BFLOAT16) and dataset.attrs.get("dtype") == "bfloat16"


def _is_finite(values: Any) -> bool:
    """Return whether all numbers of an array are finite."""
    if values.dtype == BFLOAT16:  # the upper half of a float32
        values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return bool(np.isfinite(values).all())


def _check_attributes(owner: Any) -> None:
    """Raise RejectedModelError for attributes that are not short texts or numbers."""
    for name in owner.attrs:
        attribute = owner.attrs.get_id(name)
        is_plain = (
            attribute.dtype.kind in "fiubSU" or h5py.check_string_dtype(attribute.dtype) is not None
        )
        size = math.prod(attribute.shape) * attribute.dtype.itemsize
        if not is_plain or size > MAX_ATTRIBUTE_BYTES:
            raise RejectedModelError(
                f"The weights have an attribute that is not a short text or number. {SAVE_AGAIN}"
            )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    return str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
