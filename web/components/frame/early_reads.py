"""Early reads: a page's data, read at once instead of one after the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="early-reads")


def read_early(*reads: Callable[[], object]) -> None:
    """Start reads of cached sources and return at once.

    The page calls the same methods later. Those of Sources share a read that is under way.

    Args:
        reads: methods of Sources, which never raise.

    """
    for read in reads:
        _threads.submit(read)
