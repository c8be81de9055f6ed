"""How much a worker takes on at once: a queue that is too long helps nobody, and bodies are memory."""

LARGE_BYTES = 2**20


class AdmissionController:
    """Counts the requests under way, and the bytes of the large ones among them.

    For the thread of one event loop.
    """

    def __init__(self, max_requests: int, max_large_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_large_bytes = max_large_bytes
        self._requests = 0
        self._large_bytes = 0

    def take(self, size: int) -> str | None:
        """Begin a request with a body of `size` bytes.

        Return None, or the name of the limit that refuses it.

        One large body always has room, whatever its size.
        """
        if self._requests >= self._max_requests:
            return "requests"
        if size > LARGE_BYTES:
            if self._large_bytes and self._large_bytes + size > self._max_large_bytes:
                return "large_bodies"
            self._large_bytes += size
        self._requests += 1
        return None

    def give(self, size: int) -> None:
        """End a request that was taken."""
        self._requests -= 1
        if size > LARGE_BYTES:
            self._large_bytes -= size
