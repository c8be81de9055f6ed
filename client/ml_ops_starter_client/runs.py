"""Runs: metrics, parameters, tags and notes of training code, and how a run ends."""

import atexit
import builtins
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from ml_ops_starter_client.records import (
    Change,
    Entries,
    Param,
    Point,
    chunks,
)
from ml_ops_starter_client.sender import CLOSE_SECONDS, Sender, State, close_all
from ml_ops_starter_client.values import to_number, to_param, to_step

MAX_CALL_POINTS = 5_000

logger = logging.getLogger(__name__)
_open_runs: "weakref.WeakSet[Run]" = weakref.WeakSet()


class Run:
    """A run of training code. Create it with `start`. Thread-safe.

    No method waits for the service or raises because of it, except that `finish` waits for a few
    seconds. A with statement ends the run: an exception makes it failed, Ctrl-C killed.
    """

    def __init__(self, sender: Sender, run_id: str, params: Mapping[str, Any]) -> None:
        self.run_id = run_id
        self._sender = sender
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._next_step = 0
        self._last_time = 0
        self._params: dict[str, Param] = {}
        self._warned: set[str] = set()
        self._is_finished = False
        _open_runs.add(self)
        finalizer = weakref.finalize(self, _abandon, sender, os.getpid())
        finalizer.atexit = False
        self.log_params(params)

    @property
    def name(self) -> str:
        """Name of the experiment. The service adds _2, _3 and so on to a name that is taken."""
        return self._sender.delivery.name

    @property
    def end_state(self) -> State:
        """State of the run if it ends without `finish`: finished, unless it is set."""
        return self._sender.end_state

    @end_state.setter
    def end_state(self, state: State) -> None:
        self._sender.end_state = state

    @property
    def params(self) -> Mapping[str, Param]:
        """Parameters that were logged."""
        return dict(self._params)

    def __repr__(self) -> str:
        """Return the name and the identifier."""
        return f"<Run {self.name} {self.run_id}>"

    def log(
        self,
        step: object = None,
        metrics: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> None:
        """Log metrics of one step: `run.log(3, loss=0.2)` or `run.log(3, {"val/loss": 0.2})`.

        Args:
            step: whole number, by default one more than the last step of this run, from 0.
            metrics: values by name, for names that are no identifiers.
            **named: values by name: numbers, NumPy scalars or tensors with one element. NaN and
                infinite values are stored, too. A value that is not a number is left out with a
                warning.

        """
        if isinstance(step, Mapping):
            metrics = {**step, **(metrics or {})}
            step = None
        with self._lock:
            number = self._next_step if step is None else to_step(step)
            at = time.time_ns() // 1_000_000
            if number is not None:
                if number == self._next_step - 1:
                    at = max(at, self._last_time + 1)  # of one step, the last value counts
                self._next_step, self._last_time = number + 1, at
        if number is None:
            self._warn(f"step {step!r} is not a whole number of 64 bits, so it is left out")
            return
        points = []
        for name, value in {**(metrics or {}), **named}.items():
            converted = to_number(value)
            if converted is None:
                self._warn(f"metric {name}: {type(value).__name__} is not a number")
            else:
                points.append(Point(str(name), number, converted, at))
        for piece in chunks(points, MAX_CALL_POINTS):
            self._put(Entries(piece))

    def log_params(self, params: Mapping[str, Any] | None = None, **named: Any) -> None:
        """Log parameters. A run keeps the first value of a parameter."""
        new: dict[str, Param] = {}
        with self._lock:
            for name, value in {**(params or {}), **named}.items():
                if self._params.setdefault(str(name), to_param(value)) != to_param(value):
                    self._warn(f"parameter {name} keeps its first value")
                    continue
                new[str(name)] = self._params[str(name)]
        if new:
            self._put(Entries((), new))

    def tag(self, tags: Mapping[str, Any] | None = None, **named: Any) -> None:
        """Set tags. The value None removes a tag."""
        texts = {
            str(name): None if value is None else str(value)
            for name, value in {**(tags or {}), **named}.items()
        }
        if texts:
            self._put(Change({"tags": texts}))

    def note(self, text: str) -> None:
        """Replace the note, in Markdown."""
        self._put(Change({"note": str(text)}))

    def finish(self, state: State | None = None, seconds: float = CLOSE_SECONDS) -> None:
        """End the run: send what is left, or keep it on the disk.

        Args:
            state: finished (the default), failed or killed.
            seconds: time for a service that is away to return.

        """
        if self._is_finished:
            return
        if os.getpid() == self._process:  # a forked process does not end its parent's run
            self._put(_ended(state or self._sender.end_state))
        self._is_finished = True
        _open_runs.discard(self)
        self._sender.close(seconds)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End the run."""
        self.finish(_state_after(error))

    def _put(self, record: Entries | Change) -> None:
        if self._is_finished:
            self._warn("the run has ended, so later records are left out")
            return
        self._sender.put(record)

    def _warn(self, message: str) -> None:
        """Warn about something once."""
        if message not in self._warned:
            self._warned.add(message)
            logger.warning("Run %s: %s.", self.name, message)

    def after_fork(self) -> None:
        """Continue in a forked process, where no other thread can release the lock."""
        self._lock = threading.Lock()


def now() -> str:
    """Return the time as RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_interactive() -> bool:
    """Return whether this is a notebook or a Python prompt."""
    return hasattr(sys, "ps1") or hasattr(builtins, "get_ipython")


def _ended(state: State) -> Change:
    return Change({"state": state, "ended_at": now()})


def _state_after(error: BaseException | None) -> State:
    """Return the state of a run that ends with an exception."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "finished"
    return "killed" if isinstance(error, KeyboardInterrupt) else "failed"


def _abandon(sender: Sender, process: int) -> None:
    """End a run whose object is gone. The interpreter calls it, possibly within another call."""
    if os.getpid() == process:
        sender.abandoned = _ended(sender.end_state)


def _finish_all() -> None:
    """End the runs of a script that ends. An uncaught exception makes them failed."""
    error = None if is_interactive() else getattr(sys, "last_value", None)
    deadline = time.monotonic() + CLOSE_SECONDS
    for run in list(_open_runs):
        state = _state_after(error) if error is not None else None
        run.finish(state, max(deadline - time.monotonic(), 0.0))
    close_all(deadline)


def _after_fork() -> None:
    for run in list(_open_runs):
        run.after_fork()


atexit.register(_finish_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
