"""Zip reader: a labeled set from an untrusted zip file, within limits and in memory."""

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from web.data.image_formats import SUFFIXES
from web.evaluations.labeled_set import InvalidSetError, LabeledSet, SkippedFile, make_set

MAX_FILES = 2000
MAX_FILE_BYTES = 2 * 2**20
MAX_TOTAL_BYTES = 64 * 2**20
MAX_LABEL_CHARACTERS = 64
LABELS_FILE = "labels.csv"
# Files that archivers add. They are ignored without a report.
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def read_zip(name: str, data: bytes) -> LabeledSet:
    """Return the labeled set in a zip file.

    Images are in folders named by their labels, or a labels.csv has the columns file and label
    with paths relative to it. Unusable files are in `skipped`.

    Args:
        name: file name of the zip.
        data: its bytes. At most 2,000 files of 2 MB, 64 MB in total, counted while unpacking.

    Raises:
        InvalidSetError: not a zip file, too large, or without a labeled image.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(name, archive)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        UnicodeDecodeError,
    ) as error:
        raise InvalidSetError(f"{name} is not a readable zip file: {error}") from error


def _read(name: str, archive: zipfile.ZipFile) -> LabeledSet:
    entries = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and not set(PurePosixPath(entry.filename).parts) & set(JUNK)
    ]
    if len(entries) > MAX_FILES + 1:
        raise InvalidSetError(
            f"{name} has {len(entries):,} files. Upload at most {MAX_FILES:,} images at once."
        )
    unpacker = _Unpacker(archive)
    tables = [entry for entry in entries if PurePosixPath(entry.filename).name == LABELS_FILE]
    if len(tables) > 1:
        raise InvalidSetError(f"{name} has several {LABELS_FILE} files. Keep one.")
    label_of = _read_labels(unpacker, tables[0]) if tables else None
    images, labels, skipped = [], [], []
    for entry in entries:
        if entry in tables:
            continue
        try:
            label = _label(entry.filename, label_of)
            images.append(unpacker.unpack(entry))
            labels.append(label)
        except _InvalidMemberError as error:
            skipped.append(SkippedFile(entry.filename, str(error)))
    if label_of is not None:
        present = {entry.filename for entry in entries}
        skipped += [
            SkippedFile(file, f"In {LABELS_FILE}, but not in the zip file.")
            for file in label_of
            if file not in present
        ]
    if not images:
        first = f" First file: {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise InvalidSetError(
            f"{name} has no labeled image. Put images into folders named by their labels, or add"
            f" {LABELS_FILE}.{first}"
        )
    return make_set(name, images, labels, skipped)


class _InvalidMemberError(Exception):
    """A file of the zip is unusable. The message says why."""


class _Unpacker:
    """Unpacks files and counts the actual bytes, because the sizes in a zip may be wrong."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._remaining_bytes = MAX_TOTAL_BYTES

    def unpack(self, entry: zipfile.ZipInfo) -> bytes:
        if entry.flag_bits & 1:
            raise _InvalidMemberError("The file is encrypted.")
        try:
            with self._archive.open(entry) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
        ) as error:
            raise _InvalidMemberError(f"The file cannot be unpacked: {error}") from error
        except Exception as error:  # a decompressor may raise its own errors, such as zlib.error
            raise _InvalidMemberError("The file cannot be unpacked.") from error
        if len(content) > MAX_FILE_BYTES:
            raise _InvalidMemberError("The file is larger than 2 MB.")
        self._remaining_bytes -= len(content)
        if self._remaining_bytes < 0:
            raise InvalidSetError(
                "The unpacked files are larger than 64 MB in total. Upload them in parts."
            )
        return content


def _read_labels(unpacker: _Unpacker, entry: zipfile.ZipInfo) -> Mapping[str, str]:
    """Return the label of each file by its path in the zip.

    The table has paths relative to its own folder.
    """
    folder = str(PurePosixPath(entry.filename).parent)
    prefix = "" if folder == "." else folder + "/"
    try:
        rows = list(csv.DictReader(io.StringIO(unpacker.unpack(entry).decode("utf-8-sig"))))
    except (_InvalidMemberError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidSetError(f"Cannot read {LABELS_FILE}: {error}") from error
    if not rows or not {"file", "label"} <= set(rows[0]):
        raise InvalidSetError(
            f"{LABELS_FILE} needs the columns file and label, and one row per image."
        )
    return {prefix + (row["file"] or ""): (row["label"] or "").strip() for row in rows}


def _label(file: str, label_of: Mapping[str, str] | None) -> str:
    path = PurePosixPath(file)
    if path.suffix.lower() not in SUFFIXES:
        raise _InvalidMemberError(f"Not an image file ({', '.join(SUFFIXES)}).")
    if label_of is None:
        if len(path.parts) < 2:  # noqa: PLR2004  # a folder and a file
            raise _InvalidMemberError("Not in a folder named by its label.")
        label = path.parts[-2]
    else:
        if file not in label_of:
            raise _InvalidMemberError(f"Not in {LABELS_FILE}.")
        label = label_of[file]
    if not 1 <= len(label) <= MAX_LABEL_CHARACTERS or not label.isprintable():
        raise _InvalidMemberError(
            f"The label must have 1 to {MAX_LABEL_CHARACTERS} printable characters."
        )
    return label
