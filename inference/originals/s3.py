"""The storage of originals in S3, or in any server that speaks its protocol, by s3fs.

s3fs is imported when the first object is stored or read, not before: it takes 50 MB. Every call
ends within CALL_SECONDS, whatever the server does. Where the server is and who may use it is read
by botocore from AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
and its like; none of it gets into a message.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from inference.originals.store import FORMS, Put, Storage, StorageUnavailableError, check

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0  # without a byte
ATTEMPTS = 2  # of each request
CALL_SECONDS = 30.0  # of one put_many, get or delete in all: ATTEMPTS that hang, and some
AT_ONCE = 16  # requests; more gain nothing, signing them takes one core
DELETE_AT_ONCE = 1000  # the most that one DeleteObjects takes (S3's API reference)

# Names of buckets as S3 has them since 2018, and prefixes of characters that need no escape
# anywhere.
URL_PATTERN = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*)/?"
)

CONFIG = {
    "connect_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
    "max_pool_connections": AT_ONCE,
    "retries": {
        "total_max_attempts": 1,
        "mode": "standard",
    },  # s3fs repeats, and twice two would be four
    # Servers other than Amazon's need not know the newer checksums.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}

T = TypeVar("T")


class S3(Storage):
    """Objects in a bucket, below a prefix.

    A bucket that is not there is made with the first object, if the keys may do so.
    """

    def __init__(self, url: str) -> None:
        match = URL_PATTERN.fullmatch(url)
        if match is None:
            raise ValueError(
                f"The address of a storage must be {FORMS}; credentials of S3 belong in AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY."
            )
        self.bucket = match["bucket"]
        self.prefix = match["prefix"].lstrip("/") + "/" if match["prefix"] else ""
        self.url = f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put_many(self, objects: Mapping[str, bytes]) -> Put:
        """See Storage; AT_ONCE at a time.

        When the server does not answer, those not begun are not tried.
        """
        check(objects)
        outcomes = self._call("write", self._put_all, objects)
        return Put(
            urls={key: f"{self.url}/{key}" for key, outcome in outcomes.items() if outcome is None},
            failed={
                key: self._unavailable("write", outcome)
                for key, outcome in outcomes.items()
                if outcome is not None
            },
        )

    def get(self, key: str) -> bytes | None:
        """See Storage.

        S3 tells a key that is not there from one that may not be read only to who may list the
        bucket.
        """
        check([key])
        try:
            return self._call("read", self._get, key)
        except FileNotFoundError:
            return None

    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """See Storage."""
        check(keys)
        return {
            key: self._refused("delete in", code)
            for key, code in self._call("delete in", self._delete, keys).items()
        }

    @cached_property
    def _files(self) -> Any:  # s3fs has no types
        import s3fs  # noqa: PLC0415  # 50 MB

        # An instance of its own: s3fs shares them within the process, together with what is set
        # here.
        files = s3fs.S3FileSystem(config_kwargs=CONFIG, skip_instance_cache=True)
        files.retries = ATTEMPTS
        return files

    def _call(self, verb: str, work: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Run a coroutine in s3fs's own thread, CALL_SECONDS at most.

        Raises StorageUnavailableError and FileNotFoundError.
        """
        try:
            from fsspec.asyn import sync  # noqa: PLC0415

            result: T = sync(self._files.loop, work, *arguments, timeout=CALL_SECONDS)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001  # botocore, aiohttp and s3fs have no common error; whatever it is, S3 failed
            raise self._unavailable(
                verb, error
            ) from None  # its text may hold an address with a password
        return result

    async def _put_all(self, objects: Mapping[str, bytes]) -> dict[str, Exception | None]:
        """Return what became of each: None, or its error."""
        gate = asyncio.Semaphore(AT_ONCE)
        unreachable: list[Exception] = []

        async def put(key: str, data: bytes) -> Exception | None:
            async with gate:
                if unreachable:
                    return unreachable[0]
                try:
                    await self._put(key, data)
                except Exception as error:  # noqa: BLE001  # see _call
                    if not _code(error):  # the server said nothing
                        unreachable.append(error)
                    return error
                return None

        tasks = {key: asyncio.ensure_future(put(key, data)) for key, data in objects.items()}
        if tasks:
            _, late = await asyncio.wait(
                tasks.values(), timeout=CALL_SECONDS - 1
            )  # before the caller gives up on all of them
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        return {
            key: TimeoutError() if task.cancelled() else task.result()
            for key, task in tasks.items()
        }

    async def _put(self, key: str, data: bytes) -> None:
        path = f"{self.bucket}/{self.prefix}{key}"
        try:
            # Fsspec's documented way to call from a coroutine
            await self._files._pipe_file(path, data)  # noqa: SLF001
        except FileNotFoundError:  # no bucket
            await self._make_bucket()
            await self._files._pipe_file(path, data)  # noqa: SLF001

    async def _make_bucket(self) -> None:
        region = (await self._files.set_session()).meta.region_name
        where = (
            {"CreateBucketConfiguration": {"LocationConstraint": region}}
            if region not in {None, "aws-global", "us-east-1"}
            else {}
        )
        try:
            await self._files._call_s3("create_bucket", Bucket=self.bucket, **where)  # noqa: SLF001
        except Exception as error:
            if _code(error) != "BucketAlreadyOwnedByYou":  # by another request of this moment
                raise

    async def _get(self, key: str) -> bytes:
        # By one request; with more at once s3fs would ask for the size first.
        path = f"{self.bucket}/{self.prefix}{key}"
        data: bytes = await self._files._cat_file(path, max_concurrency=1)  # noqa: SLF001
        return data

    async def _delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Return S3's code for each object that it did not delete.

        S3fs's own way keeps them to itself.
        """
        codes: dict[str, str] = {}
        for start in range(0, len(keys), DELETE_AT_ONCE):
            objects = [{"Key": self.prefix + key} for key in keys[start : start + DELETE_AT_ONCE]]
            try:
                answer = await self._files._call_s3(  # noqa: SLF001
                    "delete_objects", Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            except FileNotFoundError:  # no bucket, no objects
                return {}
            for error in answer.get("Errors", []):
                if error.get("Code") != "NoSuchKey":
                    codes[error["Key"].removeprefix(self.prefix)] = error.get("Code", "")
        return codes

    def _unavailable(self, verb: str, error: Exception) -> StorageUnavailableError:
        code = _code(error)
        if code:
            return self._refused(verb, code)
        name = type(error).__name__
        if "Credentials" in name:
            return StorageUnavailableError(
                f"Cannot {verb} {self.url} ({name}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        return StorageUnavailableError(
            f"Cannot {verb} {self.url} ({name}): S3 does not answer; see whether its server runs and AWS_ENDPOINT_URL names it."
        )

    def _refused(self, verb: str, code: str) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"Cannot {verb} {self.url} (S3 says {code}): see whether the bucket is there, and whether AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY may list, read, write and delete in it."
        )


def _code(error: BaseException) -> str:
    """S3's own code for an error, which s3fs keeps as its cause; empty when S3 said nothing."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
