"""Archive: bounded access to an untrusted zip file, which an npz file also is."""

import functools
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

from pipeline.data.readers.limits import (
    MAX_FILE_BYTES,
    MAX_IMAGES,
    MAX_RATIO,
    TOO_COMPRESSED,
    TOO_MANY_IMAGES,
    RejectedRowError,
    RejectedUploadError,
)

# zipfile reads the list of members at once. 200,000 members with long names take 40 MB.
MAX_DIRECTORY_BYTES = 64 * 2**20
READ_BYTES = 2**20  # a wrong size makes zipfile unpack as much as it is asked for
SMALL_BYTES = 2**16  # a member that is never too compressed: a blank drawing compresses well
# zipfile bounds the output of these only.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UNPACK_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class ArchiveRules:
    """Largest number of members, and the sentences about archives that break a rule.

    `too_packed_advice` says what to do about one member that is compressed too much.
    """

    max_members: int
    too_many: str
    too_compressed: str
    too_packed_advice: str


IMAGE_RULES = ArchiveRules(MAX_IMAGES, TOO_MANY_IMAGES, TOO_COMPRESSED, "Save it as PNG.")


class _BoundedReads:
    """An open file that refuses reads over MAX_DIRECTORY_BYTES."""

    def __init__(self, file: BinaryIO, rules: ArchiveRules) -> None:
        self._file, self._rules = file, rules
        self.seek, self.tell, self.close = file.seek, file.tell, file.close
        self.seekable = file.seekable

    def read(self, size: int | None = -1) -> bytes:
        limit = MAX_DIRECTORY_BYTES + 1
        content = self._file.read(limit if size is None or size < 0 else min(size, limit))
        if len(content) == limit:
            raise RejectedUploadError(self._rules.too_many)
        return content


def open_archive(file: BinaryIO, size: int, rules: ArchiveRules = IMAGE_RULES) -> zipfile.ZipFile:
    """Return an open zip file of `size` bytes, with a bounded number of members.

    Raises RejectedUploadError, also if its members overlap or unpack to too much.
    """
    try:
        archive = zipfile.ZipFile(cast("BinaryIO", _BoundedReads(file, rules)))
    except UNPACK_ERRORS as error:
        raise RejectedUploadError(
            "The zip file is damaged or incomplete. Create it again."
        ) from error
    members = archive.infolist()
    if len(members) > rules.max_members:
        raise RejectedUploadError(rules.too_many)
    if sum(member.compress_size for member in members) > size:
        raise RejectedUploadError(
            "The zip file is damaged: its members take more space than it has. Create it again."
        )
    if sum(member.file_size for member in members) > MAX_RATIO * size:
        raise RejectedUploadError(rules.too_compressed)
    return archive


def check_member(member: zipfile.ZipInfo, rules: ArchiveRules = IMAGE_RULES) -> None:
    """Raise RejectedRowError for a member that must not be unpacked."""
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RejectedRowError("A link to another file. Add the file itself.")
    if member.flag_bits & 1:
        raise RejectedRowError("The file is encrypted. Create the zip file without a password.")
    if member.compress_type not in METHODS:
        raise RejectedRowError("Unsupported compression. Create the zip file with deflate.")
    if member.file_size > SMALL_BYTES and member.file_size > MAX_RATIO * member.compress_size:
        raise RejectedRowError(
            f"The file unpacks to more than {MAX_RATIO} times its size. {rules.too_packed_advice}"
        )


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the content of a member, at most MAX_FILE_BYTES. Raises RejectedRowError."""
    check_member(member)
    if member.file_size > MAX_FILE_BYTES:
        raise RejectedRowError(f"The file is larger than {MAX_FILE_BYTES // 2**20} MB.")
    try:
        with archive.open(member) as file:
            return b"".join(iter(functools.partial(file.read, READ_BYTES), b""))
    except UNPACK_ERRORS as error:
        raise RejectedRowError("The file is damaged and cannot be unpacked.") from error
