"""Thinning: bounds the number of images that are examined, by time and digest.

The images themselves are the clock, so a repeated check keeps the same images. An allowance grows
by `rate` images per second up to BURST_SECONDS. While less than half of it is left, an image is
kept by its digest, so that all versions keep the same images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MICROSECONDS = 1_000_000
FULL = (float("inf"), 0.0)  # numbers of an allowance that is not bounded yet
BURST_SECONDS = 10
MAX_BACK_MICROSECONDS = 60 * MICROSECONDS  # a clock that was set back starts again from there
DIGITS, SCALE = slice(16, 32), 16**16  # of the digest; the ties use those before them


@dataclass(frozen=True)
class Allowance:
    """Images that may still be examined, and the latest time of an image (Unix time, us)."""

    tokens: float
    at: int

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes."""
        return [self.tokens, float(self.at)]

    @classmethod
    def from_list(cls, numbers: Sequence[float], rate: int) -> "Allowance":
        """Return a stored allowance, a full one without numbers."""
        full = float(rate * BURST_SECONDS)
        return cls(min(numbers[0], full), int(numbers[1])) if numbers else cls(full, 0)


def thin(
    allowance: Allowance, images: Sequence[tuple[str, int]], rate: int
) -> tuple[Allowance, list[bool]]:
    """Return the allowance after some images, and whether each of them is examined.

    `images` are digests in hexadecimal with times (us). The first 32 digits decide.
    """
    tokens, at, kept = allowance.tokens, allowance.at, []
    full = float(rate * BURST_SECONDS)
    for digest, time in images:
        if time > at:
            tokens, at = min(full, tokens + rate * ((time - at) / MICROSECONDS)), time
        elif at - time > MAX_BACK_MICROSECONDS:
            at = time
        share = 2 * tokens / full
        is_kept = tokens >= 1 and (share >= 1 or int(digest[DIGITS], 16) / SCALE < share)
        kept.append(is_kept)
        tokens -= is_kept
    return Allowance(tokens, at), kept
