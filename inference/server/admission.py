"""Admission control: limits the concurrent requests of a worker and the bytes of large bodies."""

LARGE_BYTES = 2**20


class AdmissionController:
    """Counts requests in progress, and the bytes of the large ones. For one event loop's thread."""

    def __init__(self, max_requests: int, max_large_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_large_bytes = max_large_bytes
        self._requests = 0
        self._large_bytes = 0

    def try_acquire(self, size: int) -> str | None:
        """Admit a request with a body of `size` bytes, or return the name of the limit it exceeds.

        One large body is always admitted, whatever its size. Each admitted request needs a call of
        `release` with the same size.
        """
        if self._requests >= self._max_requests:
            return "requests"
        if size > LARGE_BYTES:
            if self._large_bytes and self._large_bytes + size > self._max_large_bytes:
                return "large_bodies"
            self._large_bytes += size
        self._requests += 1
        return None

    def release(self, size: int) -> None:
        """End an admitted request."""
        self._requests -= 1
        if size > LARGE_BYTES:
            self._large_bytes -= size
