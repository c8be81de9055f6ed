"""Memory that is free, given back to the system.

Glibc keeps what lies between things that are in use.
"""

import ctypes

_malloc_trim = getattr(
    ctypes.CDLL(None), "malloc_trim", None
)  # of glibc; other allocators have no such function, or need none


def trim_heap() -> None:
    """Give back what is free. It takes milliseconds."""
    if _malloc_trim is not None:
        _malloc_trim(0)
