"""Notices that something below a directory changed.

By the kernel's word, and by a look now and then where that is silent.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import watchfiles

from inference.model_format import layout

# A content that stays the same for so long is complete; also the pace of the thread.
SETTLE_SECONDS = 0.3
# A look at everything takes 40 ms for 1,000 models and is repeated so that it costs 1 % of a core
# at most: on a file system of another machine, or behind a bind mount, the kernel may say nothing.
SHORTEST_POLL_SECONDS = 1.5
POLL_PER_LOOK = 100
EVENT_STEP_MS = 50
EVENT_DEBOUNCE_MS = 200


class Watch:
    """A thread that calls `look` with the names of models that may have changed, or with None for
    all.

    `look` returns the names that it wants to look at again, after SETTLE_SECONDS.
    """

    def __init__(self, directory: Path, look: Callable[[Collection[str] | None], set[str]]) -> None:
        self._directory = directory
        self._look = look
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-models", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        logging.getLogger("watchfiles").setLevel(
            logging.WARNING
        )  # it would report each change in the log
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        again: dict[str, float] = {}
        poll_at = time.monotonic() + SHORTEST_POLL_SECONDS
        for changed in self._changes():
            now = time.monotonic()
            due = {name for name, at in again.items() if at <= now}
            if changed is None or now >= poll_at:
                unsettled = self._look(None)
                took = time.monotonic() - now
                poll_at = time.monotonic() + max(SHORTEST_POLL_SECONDS, took * POLL_PER_LOOK)
            elif changed or due:
                unsettled = self._look(changed | due)
            else:
                continue
            # What changed is looked at again in any case: what happens in a new directory before
            # the kernel watches it goes unsaid.
            for name in due:
                del again[name]
            again |= dict.fromkeys(
                unsettled | (changed or set()), time.monotonic() + SETTLE_SECONDS
            )

    def _changes(self) -> Iterator[set[str] | None]:
        """Yield the names that changed, none at least every SETTLE_SECONDS, and None when a watch
        began.
        """
        while not self._closing.is_set():
            watched = self._identity()
            yield set()
            # No directory, too many are watched already, or the watcher broke: then the looks must
            # do.
            with contextlib.suppress(OSError, RuntimeError):
                is_new = True
                for events in watchfiles.watch(
                    self._directory,
                    watch_filter=None,
                    debounce=EVENT_DEBOUNCE_MS,
                    step=EVENT_STEP_MS,
                    rust_timeout=round(SETTLE_SECONDS * 1000),
                    yield_on_timeout=True,
                    stop_event=self._closing,
                    raise_interrupt=False,
                ):
                    # What happened until the kernel watched it went unsaid.
                    names = (layout.name_of(self._directory, path) for _, path in events)
                    yield None if is_new else {name for name in names if name is not None}
                    is_new = False
                    if self._identity() != watched:
                        break
            self._closing.wait(SETTLE_SECONDS)

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the directory from another that takes its place."""
        try:
            status = self._directory.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
