"""Object store: originals in S3, Google Cloud Storage or Azure Blob Storage, by obstore."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from inference.object_storage.client import open_bucket
from inference.object_storage.provider import (
    FAILED_OBJECT,
    Provider,
    error_code,
    is_bucket_missing,
    reason,
)
from inference.originals.keys import folder_of, is_listed, validate_keys, validate_names
from inference.originals.store import (
    OriginalStore,
    PutResult,
    ReadResult,
    StorageUnavailableError,
    StoredObject,
)

if TYPE_CHECKING:
    import obstore.store

REQUEST_SECONDS = 10.0  # of one attempt
CALL_SECONDS = 30.0  # limit of one put_many, get, read_many or delete
LIST_PAGE = 1000  # names that a response of S3 holds
MAX_CONCURRENT_REQUESTS = 16  # more gain nothing: signing them takes one core
# A file is sent in parts of this size, a few at a time: these are in memory. The least of S3 is 5.
PART_BYTES, MAX_CONCURRENT_PARTS = 8 * 2**20, 2

T = TypeVar("T")


class ObjectStore(OriginalStore):
    """Objects in a bucket below a prefix. The bucket must exist."""

    def __init__(self, provider: Provider, url: str) -> None:
        """Take a valid URL without a trailing slash."""
        self.url = url
        self._provider = provider

    def put_many(self, objects: Mapping[str, bytes]) -> PutResult:
        """See OriginalStore. Requests not yet sent are dropped once the server does not answer."""
        validate_keys(objects)
        failures = self._for_all(
            "write to", objects, lambda key: self._store.put_async(key, objects[key])
        )
        urls = {key: f"{self.url}/{key}" for key in objects if key not in failures}
        return PutResult(urls, failures)

    def put_file(self, key: str, file: BinaryIO) -> str:
        """See OriginalStore. CALL_SECONDS is the limit of each part, not of the file."""
        validate_keys([key])
        self._call(
            "write to",
            lambda: self._store.put(
                key, file, chunk_size=PART_BYTES, max_concurrency=MAX_CONCURRENT_PARTS
            ),
        )
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes | None:
        """See OriginalStore.

        Without the permission to list the bucket, S3 denies access to a key that does not exist.
        """
        validate_keys([key])
        try:
            return self._call("read from", lambda: bytes(self._store.get(key).bytes()))
        except FileNotFoundError:
            return None

    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """See OriginalStore."""
        validate_keys(keys)
        try:
            self._call("delete from", lambda: self._store.delete(list(keys)))
        except (FileNotFoundError, _PartialFailureError):
            # The bulk deletion stops at the first failure, which is a missing object on Google and
            # Azure.
            return self._for_all("delete from", keys, self._delete_one)
        return {}

    def list_keys(self, prefix: str, after: str = "", limit: int = 1000) -> list[StoredObject]:
        """See OriginalStore."""
        folder = folder_of(prefix)
        return self._call("list", lambda: self._list(folder, after, limit))

    def _list(self, folder: str, after: str, limit: int) -> list[StoredObject]:
        found: list[StoredObject] = []
        pages = self._store.list(folder or None, offset=after or None, chunk_size=LIST_PAGE)
        for page in pages:
            found += [
                StoredObject(item["path"], item["size"]) for item in page if is_listed(item["path"])
            ]
            if len(found) >= limit:
                break
        return found[:limit]

    def read_many(self, names: Sequence[str], max_bytes: int) -> ReadResult:
        """See OriginalStore. The call takes CALL_SECONDS at most."""
        validate_names(names)
        objects: dict[str, bytes] = {}

        async def read(name: str) -> None:
            try:
                content = bytearray()
                async for part in (await self._store.get_async(name)).stream():
                    content += part
                    if len(content) >= max_bytes:
                        break
                objects[name] = bytes(content[:max_bytes])
            except FileNotFoundError as error:
                if is_bucket_missing(error):
                    raise

        failures = self._for_all("read from", names, read)
        return ReadResult(objects, failures)

    async def _delete_one(self, key: str) -> None:
        try:
            await self._store.delete_async(key)
        except FileNotFoundError as error:
            if is_bucket_missing(error):
                raise

    @cached_property
    def _store(self) -> "obstore.store.ObjectStore":
        try:
            return open_bucket(
                self._provider, self.url, REQUEST_SECONDS, CALL_SECONDS - REQUEST_SECONDS
            )
        except ValueError as error:
            raise StorageUnavailableError(str(error)) from None

    def _call(self, verb: str, request: Callable[[], T]) -> T:
        """Run a request.

        Raises StorageUnavailableError, FileNotFoundError for a missing object, and
        _PartialFailureError.
        """
        try:
            return request()
        except (StorageUnavailableError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if isinstance(error, FileNotFoundError) and not is_bucket_missing(error):
                raise
            if FAILED_OBJECT in str(error):
                raise _PartialFailureError from None
            raise self._unavailable(verb, error) from None  # its text may hold a password

    def _for_all(
        self, verb: str, keys: Iterable[str], request: Callable[[str], Awaitable[object]]
    ) -> dict[str, StorageUnavailableError]:
        """Send a request for each key concurrently and return the failures."""
        errors = asyncio.run(_gather(list(keys), request))
        return {key: self._unavailable(verb, error) for key, error in errors.items()}

    def _unavailable(self, verb: str, error: BaseException) -> StorageUnavailableError:
        """Return the error for the user: what is wrong, then what to do."""
        if isinstance(error, StorageUnavailableError):
            return error
        return StorageUnavailableError(f"Cannot {verb} {self.url}: {reason(self._provider, error)}")


class _PartialFailureError(Exception):
    """A bulk deletion left some objects."""


async def _gather(
    keys: Sequence[str], request: Callable[[str], Awaitable[object]]
) -> dict[str, BaseException]:
    """Send a request for each key within CALL_SECONDS and return the errors.

    After the first request without a response, requests not yet sent fail with its error.
    """
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
    unanswered: list[BaseException] = []

    async def send(key: str) -> BaseException | None:
        async with semaphore:
            if unanswered:
                return unanswered[0]
            try:
                await request(key)
            except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001  # a panic of obstore is a BaseException
                if not error_code(error):
                    unanswered.append(error)
                return error
            return None

    tasks = {key: asyncio.ensure_future(send(key)) for key in keys}
    if tasks:
        _, late = await asyncio.wait(tasks.values(), timeout=CALL_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    errors = {
        key: TimeoutError() if task.cancelled() else task.result() for key, task in tasks.items()
    }
    return {key: error for key, error in errors.items() if error is not None}
