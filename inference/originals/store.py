"""Where the originals of images are kept: one interface, a directory by default and S3 by its URL.

Keys are made by the caller of hex digits and an extension, "ab/abcdef0123.png"; nothing else is
taken, so that no key leads out of the directory or the bucket's prefix. S3 lives in s3.py.
"""

import contextlib
import os
import re
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

KEY_PATTERN = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2,128}\.[a-z0-9]{1,8}")
SCHEME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
}
MEDIA_TYPES = {extension: media_type for media_type, extension in EXTENSIONS.items()}
FORMS = "a directory, file:///a/directory or s3://bucket/prefix"
# What is being written, in the same file system as where it goes; no key looks like it
UNFINISHED = ".unfinished"
UNFINISHED_SECONDS = 3600.0  # by then its writer was killed


class StorageUnavailableError(Exception):
    """The storage cannot be read or written now: what failed, where, and what to do.

    Never holds a secret.
    """


@dataclass(frozen=True)
class Put:
    """What became of many objects.

    Each key is in one of the two, with its URL or with why it is not stored.
    """

    urls: Mapping[str, str]
    failed: Mapping[str, StorageUnavailableError]


class Storage(ABC):
    """Objects by key. `url` is the place of all of them, without credentials."""

    url: str

    @classmethod
    def of(cls, url: str) -> "Storage":
        """Return the storage at `url`: a path, file:///a/directory or s3://bucket/prefix.

        Touches nothing yet.

        Raises ValueError for any other URL, without repeating it: it might hold a password.
        """
        if url.startswith("s3://"):
            from inference.originals.s3 import S3  # noqa: PLC0415  # s3.py wants this module

            return S3(url)
        if not SCHEME_PATTERN.match(url) and url:
            return Directory(Path(url))
        parts = urlsplit(url)
        if (
            parts.scheme != "file"
            or parts.netloc not in {"", "localhost"}
            or parts.query
            or parts.fragment
            or parts.path in {"", "/"}
        ):
            raise ValueError(f"The address of a storage must be {FORMS}.")
        return Directory(Path(unquote(parts.path)))

    def put(self, key: str, data: bytes) -> str:
        """Store an object, whole or not at all, over one of the same key, and return its URL.

        Raises StorageUnavailableError, and ValueError for a key that is none.
        """
        done = self.put_many({key: data})
        for failure in done.failed.values():
            raise failure
        return done.urls[key]

    @abstractmethod
    def put_many(self, objects: Mapping[str, bytes]) -> Put:
        """Store objects, each whole or not at all; one that fails keeps no other from being stored.

        Raises ValueError, before anything is stored, for a key that is none.
        """

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Return an object, or None when there is none.

        Raises StorageUnavailableError, and ValueError for a key that is none.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """Remove objects; those that are not there are fine.

        All are tried; return those that are left, and why.

        Raises StorageUnavailableError when any may be left, and ValueError, before any is removed, for a
        key that is none.
        """


class Directory(Storage):
    """Files below a directory, which is made when the first is stored.

    Only their owner may read them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.url = self.path.as_uri()
        self._cleaned = False

    def put_many(self, objects: Mapping[str, bytes]) -> Put:
        """See Storage. What is stored survives a loss of power, too."""
        check(objects)
        urls, failed = {}, {}
        for key, data in objects.items():
            try:
                self._write(key, data)
                urls[key] = (self.path / key).as_uri()
            except OSError as error:
                failed[key] = self._unavailable("write", error)
        return Put(urls, failed)

    def get(self, key: str) -> bytes | None:
        """See Storage."""
        check([key])
        try:
            return (self.path / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable("read", error) from error

    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """See Storage."""
        check(keys)
        left = {}
        for key in keys:
            try:
                (self.path / key).unlink(missing_ok=True)
            except OSError as error:
                left[key] = self._unavailable("delete in", error)
        return left

    def _write(self, key: str, data: bytes) -> None:
        """Write a file beside its place, have the disk hold it, and rename it. Raises OSError."""
        unfinished, final = self.path / UNFINISHED, self.path / key
        unfinished.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(exist_ok=True)
        self._clean(unfinished)
        descriptor, name = tempfile.mkstemp(dir=unfinished)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(final)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _clean(self, unfinished: Path) -> None:
        """Remove, once, what writers left that were killed."""
        if self._cleaned:
            return
        self._cleaned = True
        for path in unfinished.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process cleans, too
                if path.stat().st_mtime < time.time() - UNFINISHED_SECONDS:
                    path.unlink()

    def _unavailable(self, verb: str, error: OSError) -> StorageUnavailableError:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        return StorageUnavailableError(
            f"Cannot {verb} the directory of images {self.path} ({reason}): it must be a directory with free space that the"
            " service may write; IMAGES_URL names it."
        )


def check(keys: Iterable[str]) -> None:
    """Raise ValueError unless every key is hex digits and an extension, such as ab/abcdef0123.png."""
    for key in keys:
        if not KEY_PATTERN.fullmatch(key):
            raise ValueError(
                f"{key[:100]!r} is no key of an image: hex digits and an extension, such as ab/abcdef0123.png"
            )


def key_of(digest: str, media_type: str) -> str:
    """Return the key under which the original of an image is stored."""
    return f"{digest[:2]}/{digest}{EXTENSIONS.get(media_type, '.bin')}"


def key_in(url: str) -> str:
    """Return the key in the URL of an object."""
    return "/".join(url.rsplit("/", 2)[1:])


def media_type_of(key: str) -> str:
    """Return the media type of what is stored under a key."""
    return MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")
