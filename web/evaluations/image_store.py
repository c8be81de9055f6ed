"""Image store: images by the digest of their pixels, from the API or from MNIST's test set."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.evaluations.labeled_set import InvalidSetError, encode_png
from web.evaluations.mnist_test_set import read_test_set

# Thumbnails are made of originals of up to 2 MB.
CACHE_BYTES = 32_000_000
CONCURRENT_REQUESTS = 4


class ImageStore:
    """Images by digest, cached. Thread-safe.

    Args:
        fetch: returns the original of a digest, None if it is not stored, see ApiClient.image.
        mnist_path: .npz file with MNIST's test set, None without one.

    """

    def __init__(self, fetch: Callable[[str], bytes | None], mnist_path: Path | None) -> None:
        self._fetch = fetch
        self._mnist_path = mnist_path
        self._test_set: dict[str, NDArray[np.uint8]] | None = None
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(CONCURRENT_REQUESTS, thread_name_prefix="images")

    def get(self, digests: Sequence[str]) -> list[bytes | None]:
        """Return the image files of these digests, None for one that is stored nowhere.

        Images are missing, too, while the API is down. They are read again at the next call.
        """
        return list(self._threads.map(self._get, digests))

    def _get(self, digest: str) -> bytes | None:
        with self._lock:
            if digest in self._cache:
                self._cache.move_to_end(digest)
                return self._cache[digest]
        data = self._read_test_set(digest)
        if data is None:
            try:
                data = self._fetch(digest)
            except (ApiUnreachableError, ApiProblemError):
                return None
        if data is not None:
            self._keep(digest, data)
        return data

    def _keep(self, digest: str, data: bytes) -> None:
        with self._lock:
            if digest in self._cache:
                return
            self._cache[digest] = data
            self._cached_bytes += len(data)
            while self._cached_bytes > CACHE_BYTES:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= len(dropped)

    def _read_test_set(self, digest: str) -> bytes | None:
        if self._mnist_path is None:
            return None
        with self._lock:
            if self._test_set is None:
                self._test_set = _images_by_digest(self._mnist_path)
        pixels = self._test_set.get(digest)
        return None if pixels is None else encode_png(Image.fromarray(pixels))


def _images_by_digest(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the 28x28 pixels of each test image by their SHA-256. Empty for an unusable file."""
    try:
        pixels, _ = read_test_set(path)
    except InvalidSetError:
        return {}
    return {hashlib.sha256(np.ascontiguousarray(one).data).hexdigest(): one for one in pixels}
