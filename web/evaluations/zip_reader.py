"""Zip reader: a labeled set from an untrusted zip file, within limits and in memory."""

import csv
import functools
import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from web.data.image_formats import SUFFIXES
from web.data.photo_reduction import UnusablePhotoError, reduce_photo
from web.evaluations.labeled_set import InvalidSetError, LabeledSet, SkippedFile, make_set

MAX_FILES = 2000
MAX_FILE_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 64 * 2**20
MAX_LABELS_BYTES = 2 * 2**20
READ_BYTES = 2**20  # at once: a wrong size makes zipfile unpack as much as it is asked for
MAX_LABEL_CHARACTERS = 64
# Of the zip's list of files. 2,000 long names and as many __MACOSX files take 1.4 MB.
MAX_DIRECTORY_BYTES = 4 * 2**20
LABELS_FILE = "labels.csv"
MAX_LABEL_ROWS = 20_000
# zipfile bounds the output of these only: 469 bytes of bzip2 or a small LZMA file expand to 400 MB
# in one read.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Files that archivers add, in lower case. They are ignored without a report.
JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini"})
JUNK_PREFIX = "._"
UNPACK_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_zip(name: str, data: bytes) -> LabeledSet:
    """Return the labeled set in a zip file.

    Images are in folders named by their labels, or a labels.csv has the columns file and label
    with paths relative to it. Unusable files are in `skipped`.

    Args:
        name: file name of the zip.
        data: its bytes. At most 2,000 files of 16 MB, 64 MB in total, checked before unpacking.
            Images that are too large for the API are reduced.

    Raises:
        InvalidSetError: not a zip file, too large, or without a labeled image.

    """
    try:
        archive = zipfile.ZipFile(_BoundedReads(data))
    except (*UNPACK_ERRORS, zipfile.LargeZipFile) as error:
        raise InvalidSetError(
            f"{name} is not a readable zip file: {error}. Create the zip file again."
        ) from error
    with archive:
        return _read(name, archive, len(data))


class _BoundedReads(io.BytesIO):
    """The zip file in memory. Raises InvalidSetError for a read over MAX_DIRECTORY_BYTES.

    zipfile reads the list of files at once, and needs ten times its size for it.
    """

    def read(self, size: int | None = -1) -> bytes:
        limit = MAX_DIRECTORY_BYTES + 1
        content = super().read(limit if size is None or size < 0 else min(size, limit))
        if len(content) == limit:
            raise InvalidSetError(
                f"The zip file lists too many files. Upload at most {MAX_FILES:,} images at once."
            )
        return content


def _read(name: str, archive: zipfile.ZipFile, size: int) -> LabeledSet:
    entries = [entry for entry in archive.infolist() if not _is_folder_or_junk(entry)]
    if len(entries) > MAX_FILES + 1:
        raise InvalidSetError(
            f"{name} has {len(entries):,} files. Upload at most {MAX_FILES:,} images at once."
        )
    if sum(entry.compress_size for entry in entries) > size:
        raise InvalidSetError(
            f"{name} is damaged: its files take more space than it has. Create the zip file again."
        )
    tables = [entry for entry in entries if _path(entry).name.lower() == LABELS_FILE]
    if len(tables) > 1:
        raise InvalidSetError(f"{name} has several {LABELS_FILE} files. Keep one.")
    label_of = _read_labels(archive, tables[0]) if tables else None
    labeled: dict[PurePosixPath, tuple[zipfile.ZipInfo, str]] = {}
    images, labels, skipped = [], [], []
    for entry in entries:
        if entry in tables:
            continue
        path = _path(entry)
        try:
            label = _label(path, label_of)
            _check(entry)
            if path in labeled:
                raise _InvalidMemberError("The zip file has another file of this name.")
            labeled[path] = (entry, label)
        except _InvalidMemberError as error:
            skipped.append(SkippedFile(entry.filename, str(error)))
    if sum(entry.file_size for entry, _ in labeled.values()) > MAX_TOTAL_BYTES:
        raise InvalidSetError(
            "The unpacked files are larger than 64 MB in total. Upload them in parts."
        )
    for entry, label in labeled.values():
        try:
            images.append(reduce_photo(_unpack(archive, entry)))
            labels.append(label)
        except (_InvalidMemberError, UnusablePhotoError) as error:
            skipped.append(SkippedFile(entry.filename, str(error)))
    if label_of is not None:
        present = {_path(entry) for entry in entries}
        skipped += [
            SkippedFile(str(path), f"In {LABELS_FILE}, but not in the zip file.")
            for path in label_of
            if path not in present
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


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    r"""Return the path of a file in the zip. Some Windows tools write 4\a.png."""
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _is_folder_or_junk(entry: zipfile.ZipInfo) -> bool:
    parts = [part.lower() for part in _path(entry).parts]
    return (
        entry.filename.endswith(("/", "\\"))
        or not JUNK.isdisjoint(parts)
        or any(part.startswith(JUNK_PREFIX) for part in parts)
    )


def _check(entry: zipfile.ZipInfo, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Check a file before it is unpacked. Raises _InvalidMemberError."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _InvalidMemberError("A link to another file. Add the file itself.")
    if entry.flag_bits & 1:
        raise _InvalidMemberError("The file is encrypted. Create the zip file without a password.")
    if entry.compress_type not in METHODS:
        raise _InvalidMemberError(
            "Unsupported compression. Create the zip file with deflate, the usual method."
        )
    if entry.file_size > max_bytes:
        raise _InvalidMemberError(f"The file is larger than {max_bytes // 2**20} MB.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of a checked file, at most `file_size` bytes.

    Raises _InvalidMemberError.
    """
    try:
        with archive.open(entry) as file:
            return b"".join(iter(functools.partial(file.read, READ_BYTES), b""))
    except UNPACK_ERRORS as error:
        raise _InvalidMemberError(f"The file cannot be unpacked: {error}") from error


def _read_labels(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Mapping[PurePosixPath, str]:
    """Return the label of each file by its path in the zip.

    The table has paths relative to its own folder, and a comma, semicolon or tab as separator.
    """
    try:
        _check(entry, MAX_LABELS_BYTES)
        text = _unpack(archive, entry).decode("utf-8-sig")
        if text.lower().startswith("sep="):  # a line that Excel writes
            text = text.partition("\n")[2]
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        return _parse_labels(text, delimiter, _path(entry).parent)
    except UnicodeDecodeError as error:
        raise InvalidSetError(f"Cannot read {LABELS_FILE}: {error}. Save it as UTF-8.") from error
    except (_InvalidMemberError, csv.Error) as error:
        raise InvalidSetError(f"Cannot read {LABELS_FILE}: {error}") from error


def _parse_labels(text: str, delimiter: str, folder: PurePosixPath) -> dict[PurePosixPath, str]:
    # Not csv.DictReader: a dict per row with a key per column may need gigabytes.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [title.strip().lower() for title in next(rows, [])]
    if "file" not in header or "label" not in header:
        raise InvalidSetError(
            f"{LABELS_FILE} needs the columns file and label, and one row per image."
        )
    file_column, label_column = header.index("file"), header.index("label")
    label_of: dict[PurePosixPath, str] = {}
    for number, row in enumerate(rows):
        if number == MAX_LABEL_ROWS:
            raise InvalidSetError(
                f"{LABELS_FILE} has more than {MAX_LABEL_ROWS:,} rows. "
                "Keep the rows of the images in the zip file."
            )
        if len(row) <= max(file_column, label_column):
            continue
        path = folder / row[file_column].strip().replace("\\", "/")
        label = row[label_column].strip()
        if label_of.setdefault(path, label) != label:
            raise InvalidSetError(f"{LABELS_FILE} has two labels for {path}. Keep one.")
    return label_of


def _label(path: PurePosixPath, label_of: Mapping[PurePosixPath, str] | None) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise _InvalidMemberError(f"Not an image file ({', '.join(SUFFIXES)}).")
    if label_of is None:
        label = path.parent.name.strip()
        if label in ("", ".."):
            raise _InvalidMemberError("Not in a folder named by its label.")
    else:
        if path not in label_of:
            raise _InvalidMemberError(f"Not in {LABELS_FILE}.")
        label = label_of[path]
    # macOS decomposes the letters of file names: ö is two characters.
    label = unicodedata.normalize("NFC", label)
    if not 1 <= len(label) <= MAX_LABEL_CHARACTERS or not label.isprintable():
        raise _InvalidMemberError(
            f"The label must have 1 to {MAX_LABEL_CHARACTERS} printable characters."
        )
    return label
