"""Heap trimming: returns free memory to the operating system.

Without it, glibc keeps the gaps between live allocations.
"""

import ctypes

# Only glibc has this function. Other allocators do not need it.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Return free memory to the operating system, which takes milliseconds."""
    if _malloc_trim is not None:
        _malloc_trim(0)
