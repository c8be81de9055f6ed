"""Bundling: requests that can wait are forwarded together, five times a second.

A request that arrives alone costs the tracking process a wake-up and a commit, more than its
points.
"""

import asyncio
import math

# All workers release their requests at multiples of this on the machine's monotonic clock.
PERIOD_SECONDS = 0.2
RARE_SECONDS = 0.25  # a request this long after the previous one does not wait
# A shorter body is a single point. Its client may be a training loop that waits for the answer.
MIN_BODY_BYTES = 200


class Bundling:
    """Makes requests of one event loop wait for each other."""

    def __init__(self) -> None:
        self._release: asyncio.Event | None = None  # of the requests that wait
        self._previous = -math.inf  # time of the previous request

    async def wait(self) -> None:
        """Return at the next release, or at once if requests are rare."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        is_rare, self._previous = now - self._previous > RARE_SECONDS, now
        if is_rare:
            return
        if self._release is None:
            self._release = asyncio.Event()
            periods = math.floor(now / PERIOD_SECONDS) + 1
            loop.call_at(periods * PERIOD_SECONDS, self._open)
        await self._release.wait()

    def _open(self) -> None:
        if self._release is not None:
            self._release.set()
            self._release = None


def can_wait(method: str, path: str, content_length: bytes | None) -> bool:
    """Return whether a request logs several points, as clients that buffer points do."""
    return (
        method == "POST"
        and path.endswith("/points")
        and content_length is not None
        and content_length.isdigit()
        and int(content_length) >= MIN_BODY_BYTES
    )
