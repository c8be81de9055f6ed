"""Zip reader: image files in folders that are named by their labels.

`7/a.png` has the label 7. One more folder, above or below the label's, names the group of an
image, such as its writer: `anna/7/a.png` or `7/anna/a.png`. A folder that holds everything, and
folders named train, validation or test, are ignored: the dataset assigns the split by itself.
"""

import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from pipeline.data.readers.archive import open_archive, unpack
from pipeline.data.readers.collector import RowCollector
from pipeline.data.readers.limits import RejectedRowError, RejectedUploadError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
ARCHIVE_SUFFIXES = (".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".npz")
TABLE_SUFFIXES = (".csv", ".parquet", ".npz")
# Files that archivers add, in lower case. They are ignored without a report.
JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini"})
JUNK_PREFIX = "._"
SPLIT_FOLDERS = frozenset(
    {"train", "training", "valid", "val", "validation", "test", "testing", "eval"}
)
FOLDERS = "Put images into folders named by their labels, such as 7/a.png."


def read_zip(file: BinaryIO, size: int, classes: Sequence[str], rows: RowCollector) -> None:
    """Read a zip file of `size` bytes. Raises RejectedUploadError."""
    with open_archive(file, size) as archive:
        members = [member for member in archive.infolist() if not is_folder_or_junk(member)]
        tables = [
            member for member in members if member_path(member).suffix.lower() in TABLE_SUFFIXES
        ]
        if tables and len(tables) == len(members):
            raise RejectedUploadError(
                "The zip file holds a table instead of images. Unpack it and load the table."
            )
        shared = _shared_folder(members, classes)
        names: set[str] = set()
        for member in members:
            try:
                label, group = _label_and_group(member_path(member), shared, classes)
                if member.filename in names:
                    raise RejectedRowError("The zip file has another file of this name.")
                names.add(member.filename)
                content = unpack(archive, member)
            except RejectedRowError as error:
                rows.reject(member.filename, str(error))
            else:
                rows.add_file(content, label, member.filename, group)


def member_path(member: zipfile.ZipInfo) -> PurePosixPath:
    r"""Return a member's path, which is never used to open a file. Windows may write 4\a.png."""
    return PurePosixPath(member.filename.replace("\\", "/"))


def is_folder_or_junk(member: zipfile.ZipInfo) -> bool:
    """Return whether a member is a folder, or a file that archivers add."""
    parts = [part.lower() for part in member_path(member).parts]
    return (
        member.filename.endswith(("/", "\\"))
        or not JUNK.isdisjoint(parts)
        or any(part.startswith(JUNK_PREFIX) for part in parts)
    )


def _shared_folder(members: Sequence[zipfile.ZipInfo], classes: Sequence[str]) -> str | None:
    """Return the folder that holds all members, unless it is a label's."""
    tops = {member_path(member).parts[:-1][:1] for member in members}
    top = next(iter(tops)) if len(tops) == 1 else ()
    return top[0] if top and top[0] not in classes else None


def _label_and_group(
    path: PurePosixPath, shared: str | None, classes: Sequence[str]
) -> tuple[str, str | None]:
    """Return an image's label and its group, from its folders. Raises RejectedRowError."""
    if path.suffix.lower() in ARCHIVE_SUFFIXES:
        raise RejectedRowError("An archive inside the zip file. Unpack it first.")
    if path.suffix.lower() not in SUFFIXES:
        raise RejectedRowError(f"Not an image file ({', '.join(SUFFIXES)}).")
    folders = list(path.parts[:-1])
    if folders[:1] == [shared]:
        del folders[0]
    folders = [folder for folder in folders if folder.lower() not in SPLIT_FOLDERS]
    labels = [folder for folder in folders if folder in classes]
    if len(labels) > 1:
        raise RejectedRowError(f"Two of its folders are named by labels. {FOLDERS}")
    if not labels:
        if not folders:
            raise RejectedRowError(f"Not in a folder named by a label. {FOLDERS}")
        return folders[-1], None  # the collector names the classes
    groups = [folder for folder in folders if folder != labels[0]]
    if len(groups) > 1:
        raise RejectedRowError(f"More than one folder beside the label's. {FOLDERS}")
    return labels[0], groups[0] if groups else None
