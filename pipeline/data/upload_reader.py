"""Upload reader: runs the sandboxed child that reads an upload, and checks what it returns."""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.compiler import sandbox
from inference.model_format.safe_open import RejectedModelError, open_regular
from inference.preprocessing.canonical import SIDE
from pipeline.data.readers.limits import (
    CPU_SECONDS,
    MAX_GROUP_CHARACTERS,
    MAX_IMAGES,
    MAX_LISTED_REJECTS,
    MAX_PLACE_CHARACTERS,
    MAX_REASON_CHARACTERS,
    WALL_SECONDS,
    RejectedUploadError,
    printable,
)
from pipeline.data.readers.worker import IMAGES, JOB, PROJECT, RESULT

PIXELS = SIDE * SIDE
MAX_RESULT_BYTES = 512 * 2**20  # 200,000 rows with the longest place and group, as escaped JSON
TEMPORARY_PREFIX = "upload-"
POLL_SECONDS = 0.05
CHILD = ["-P", "-s", "-m", "pipeline.data.readers.worker"]
TIMED_OUT = f"Reading the file takes longer than {WALL_SECONDS // 60} minutes. Load it in parts."
OUT_OF_TIME = f"Reading the file takes more than {CPU_SECONDS} s of CPU time. Load it in parts."
CRASHED = "The file crashes its reader. Create it again, or load it as a zip of images."
KILLED = "The reader was killed, possibly for lack of memory. Load the file in parts."
INVALID = "The reader returned an invalid result. Create the file again."
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reject:
    """An image of an upload that is not used: its place in the file, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class LabeledImages:
    """Images of an upload, uint8 (n, 28, 28), with a label, a place and a group each.

    `rejects` are the first 100 of `rejected` rows.
    """

    images: NDArray[np.uint8]
    labels: tuple[str, ...]
    places: tuple[str, ...]
    groups: tuple[str | None, ...]
    rejects: tuple[Reject, ...]
    rejected: int


def read_upload(
    data: bytes,
    classes: Sequence[str],
    work: Path,
    on_progress: Callable[[int], None] = lambda _: None,
) -> LabeledImages:
    """Return the images of an uploaded file, read in a sandboxed child process.

    Args:
        data: the file's bytes.
        classes: the labels that the task allows.
        work: an existing directory for temporary files.
        on_progress: called several times a second with the number of images so far. Whatever it
            raises ends the child.

    Raises:
        RejectedUploadError: the file cannot be used as a whole.
        OSError: the child cannot be started.

    """
    if missing := sandbox.missing_features():
        logger.warning(
            "The sandbox of the upload reader lacks %s on this platform. Load only trusted files.",
            ", ".join(missing),
        )
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=work) as name:
        own = Path(name)
        (own / JOB).write_text(json.dumps({"classes": list(classes)}), encoding="utf-8")
        with tempfile.TemporaryFile(dir=work) as upload:
            upload.write(data)
            upload.flush()
            upload.seek(0)
            _run(own, upload.fileno(), on_progress)
        return _checked(own, classes)


def _run(own: Path, upload: int, on_progress: Callable[[int], None]) -> None:
    """Run the child to its end. Raises RejectedUploadError and OSError."""
    child = subprocess.Popen(
        [sys.executable, *CHILD],
        stdin=upload,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=own,
        # No secrets of the worker. One thread: the child reads row by row.
        env={
            "PYTHONPATH": str(PROJECT),
            "HOME": str(own),
            "TMPDIR": str(own),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        },
    )
    deadline = time.monotonic() + WALL_SECONDS
    try:
        while True:
            try:
                code = child.wait(POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise RejectedUploadError(TIMED_OUT) from None
                on_progress(_size(own / IMAGES) // PIXELS)
    finally:
        child.kill()
        child.wait()
    if code == -signal.SIGXCPU:
        raise RejectedUploadError(OUT_OF_TIME)
    if code == -signal.SIGKILL:
        raise RejectedUploadError(KILLED)
    if code != 0:
        raise RejectedUploadError(CRASHED)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _checked(own: Path, classes: Sequence[str]) -> LabeledImages:
    """Return the child's result after checking it: the child has read an untrusted file."""
    try:
        with os.fdopen(open_regular(own / RESULT, MAX_RESULT_BYTES), "rb") as file:
            result = json.loads(file.read())
        if result["error"] is not None:
            raise RejectedUploadError(printable(str(result["error"]), MAX_REASON_CHARACTERS))
        labels = [classes[number] for number in _integers(result["labels"], len(classes))]
        rejects = [
            Reject(_text(path, MAX_PLACE_CHARACTERS), _text(reason, MAX_REASON_CHARACTERS))
            for path, reason in result["rejects"][:MAX_LISTED_REJECTS]
        ]
        places = [_text(place, MAX_PLACE_CHARACTERS) for place in result["places"]]
        groups = [
            None if group is None else _text(group, MAX_GROUP_CHARACTERS)
            for group in result["groups"]
        ]
        (rejected,) = _integers([result["rejected"]], MAX_IMAGES + 1)
        if not len(labels) == len(places) == len(groups) <= MAX_IMAGES or len(rejects) > rejected:
            raise ValueError("lengths differ")
        if not labels:
            raise RejectedUploadError(_nothing_usable(rejects))
        with os.fdopen(open_regular(own / IMAGES, len(labels) * PIXELS), "rb") as file:
            images = np.frombuffer(file.read(), np.uint8).reshape(len(labels), SIDE, SIDE)
    except (
        RejectedModelError,
        FileNotFoundError,
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
    ) as error:
        raise RejectedUploadError(INVALID) from error
    return LabeledImages(
        images, tuple(labels), tuple(places), tuple(groups), tuple(rejects), rejected
    )


def _integers(values: Any, limit: int) -> list[int]:
    """Return integers from 0 to below a limit. Raises ValueError."""
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < limit for value in values
    ):
        raise ValueError("not a list of small integers")
    return values


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return printable(value, limit)


def _nothing_usable(rejects: Sequence[Reject]) -> str:
    if not rejects:
        return "The file has no images. Load a zip, CSV, npz or Parquet file with images."
    first = rejects[0]
    return printable(
        f"The file has no usable image. First reject: {first.path}: {first.reason}",
        MAX_REASON_CHARACTERS,
    )
