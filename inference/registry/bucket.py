"""Bucket of a registry: lists, reads and writes its objects, each call within bounded time.

A registry is a bucket of S3, Google Cloud Storage or Azure Blob Storage, or a local directory.
"""

import re
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

from inference.object_storage.client import BUCKET_PATTERN, open_bucket
from inference.object_storage.provider import Provider, error_code, is_bucket_missing, reason
from inference.registry.versions import RemoteFile

if TYPE_CHECKING:
    import obstore.store

REQUEST_SECONDS = 10.0  # of one attempt, which brings at most PART_BYTES
RETRY_SECONDS = 20.0
PART_BYTES, MAX_CONCURRENT_PARTS = 4 * 2**20, 2
UPLOAD_PART_BYTES = 8 * 2**20  # S3 takes no less than 5
LIST_PAGE = 1000
MAX_OBJECTS = 100_000
# Keys before it cannot belong to a model, whose name begins with a letter or digit. Some of them,
# such as ../ and //, would end the listing.
FIRST_KEY = "0"
HOSTILE_PATH = re.compile(r"[Pp]ath \"([^\"]*)\"")
READ = "read from"
MAX_SHOWN = 100  # characters of a key in a message
INVALID_URL = (
    "MODELS_URL must be s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or "
    "file:///directory. Credentials belong in environment variables, see doc/registry.md."
)

T = TypeVar("T")


class RegistryError(Exception):
    """The registry cannot be used at the moment. The message never holds a secret."""


class InvalidNameError(RegistryError):
    """A listing ended at an object whose name could lead out of a directory."""


class Bucket:
    """Objects below a registry's URL. Any thread may call any method."""

    def __init__(self, url: str) -> None:
        """Take a URL without accessing disk or network. Raises ValueError."""
        match = BUCKET_PATTERN.fullmatch(url)
        parts = urlsplit(url)
        is_local = parts.scheme == "file" and parts.netloc in {"", "localhost"}
        if match is None and (
            not is_local or parts.query or parts.fragment or parts.path in {"", "/"}
        ):
            raise ValueError(INVALID_URL)
        self.url = url.rstrip("/")
        self._provider = Provider[match["scheme"].upper()] if match is not None else None
        self._path = unquote(parts.path)

    def list_objects(self, name: str | None = None) -> list[tuple[str, RemoteFile]]:
        """Return all objects by key, or those of one model.

        Raises InvalidNameError and RegistryError.
        """
        return self._call("list", lambda: self._list(name))

    def list_names(self) -> list[str]:
        """Return the names of the folders, which are models. Raises RegistryError."""
        found = self._call("list", lambda: self._store.list_with_delimiter(None))
        return [prefix.rsplit("/", 1)[-1] for prefix in found["common_prefixes"]]

    def list_numbers(self, name: str) -> list[int]:
        """Return the version numbers below a model's name, also those that are only claimed.

        Raises RegistryError.
        """
        found = self._call("list", lambda: self._store.list_with_delimiter(name))
        last_parts = [prefix.rsplit("/", 1)[-1] for prefix in found["common_prefixes"]]
        return [int(part) for part in last_parts if part.isascii() and part.isdecimal()]

    def read(self, key: str, size: int, write: Callable[[bytes], object]) -> None:
        """Pass an object of `size` bytes, above 0, to `write`, a part at a time.

        Raises RegistryError, and FileNotFoundError for an object that does not exist.
        """
        for start in range(0, size, PART_BYTES):
            end = min(start + PART_BYTES, size)
            write(self._call(READ, partial(self._read, key, start, end)))

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless it exists, and return whether it did not. Raises RegistryError."""
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415  # 7 MB, see client.py

        def put() -> bool:
            try:
                self._store.put(key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

        return self._call("write to", put)

    def put(self, key: str, file: BinaryIO) -> None:
        """Write a file as an object, atomically. Raises RegistryError."""
        self._call(
            "write to",
            lambda: self._store.put(
                key, file, chunk_size=UPLOAD_PART_BYTES, max_concurrency=MAX_CONCURRENT_PARTS
            ),
        )

    def _list(self, name: str | None) -> list[tuple[str, RemoteFile]]:
        found: list[tuple[str, RemoteFile]] = []
        for page in self._store.list(name, offset=FIRST_KEY, chunk_size=LIST_PAGE):
            found += [
                (item["path"], RemoteFile(item["size"], item["e_tag"] or "")) for item in page
            ]
            if len(found) > MAX_OBJECTS:
                raise RegistryError(
                    f"{self.url} has more than {MAX_OBJECTS} objects. "
                    "Give MODELS_URL a prefix that holds nothing but models."
                )
        return found

    def _read(self, key: str, start: int, end: int) -> bytes:
        content = bytes(self._store.get_range(key, start=start, end=end))
        if len(content) != end - start:
            raise FileNotFoundError(key)  # another object than the listed one
        return content

    @cached_property
    def _store(self) -> "obstore.store.ObjectStore":
        if self._provider is not None:
            return open_bucket(self._provider, self.url, REQUEST_SECONDS, RETRY_SECONDS)
        from obstore.store import LocalStore  # noqa: PLC0415  # see client.py

        return LocalStore(self._path)

    def _call(self, verb: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except (RegistryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of obstore is a BaseException
            is_missing = isinstance(error, FileNotFoundError) and not is_bucket_missing(error)
            if is_missing and verb == READ:
                raise
            hostile = HOSTILE_PATH.search(str(error))
            if hostile is not None and "InvalidPath" in type(error).__name__:
                raise InvalidNameError(
                    f"The object name {hostile[1][:MAX_SHOWN]!r} is not valid. Remove the object."
                ) from None
            raise RegistryError(f"Cannot {verb} {self.url}: {self._reason(error)}") from None

    def _reason(self, error: BaseException) -> str:
        """Return what is wrong, then what to do. The texts of obstore may hold a password."""
        if type(error) is ValueError:
            return str(error)
        if self._provider is None:
            return "Check that the directory exists and that the service may use it."
        if error_code(error) in {"412", "501", "NotImplemented"}:
            return (
                f"{self._provider.title} responds {error_code(error)}. "
                "Check that the server supports conditional writes (If-None-Match)."
            )
        return reason(self._provider, error, "MODELS_URL")
