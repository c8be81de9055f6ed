"""The log of predictions: what is answered and which versions there are -> records of the journal.

rows.py reads them.

A record says what some versions of models gave for some images of some requests. The images and
versions that no earlier record of its segment has are described in it, and an image again when it
comes with an original that may be kept and is not there yet.
"""

import base64
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import orjson

from inference import ids
from inference.errors import JournalFullError
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction_log.journal import Declared, Journal
from inference.preprocessing.digits import PreprocessedImage, media_type
from inference.runtime.outputs import Outputs

ARRAY = "application/json"
GONE = "GONE"
RECORD_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
BARE = "-"  # behind the digest of an image that a segment describes without an original

logger = logging.getLogger(__name__)


class RequestInfo(NamedTuple):
    """A request for predictions.

    Its id, the program that asked, and the time.perf_counter() at which its work began.
    """

    request_id: str
    source: str | None
    started: float

    def milliseconds(self) -> float:
        """Return the milliseconds that it has taken so far."""
        return round((time.perf_counter() - self.started) * 1000, 3)


class ModelOutputs(NamedTuple):
    """What a version gave for each image."""

    model: ModelVersion
    outputs: Outputs


class PredictionLog:
    """Keeps what is answered. Any thread may call any method."""

    def __init__(
        self, journal: Journal | None, metrics: Metrics, *, keeps_originals: bool, refuses: bool
    ) -> None:
        """Write to a journal, or nothing without one.

        A full one makes answers fail where the log `refuses`, else go unlogged.
        """
        self._journal = journal
        self._metrics = metrics
        self._keeps_originals = keeps_originals
        self._refuses = refuses
        self._seen: dict[str, tuple[str, str | None]] = {}
        self._seeing = threading.Lock()

    def answered(
        self,
        digits: Sequence[PreprocessedImage],
        calls: Sequence[RequestInfo],
        milliseconds: Sequence[float],
        columns: Iterable[ModelOutputs],
    ) -> None:
        """Keep what some versions gave for some images, each of which is of a call and took so many
        milliseconds.

        A single call is that of them all. Raises JournalFullError.
        """
        journal = self._journal
        if journal is None:
            return
        given = list(columns)
        at = time.time_ns() // 1000
        record = {
            "at": at,
            "events": f"{ids.first_event_id(at):032x}",
            "requests": [call.request_id for call in calls],
            "sources": [call.source for call in calls],
            "milliseconds": milliseconds,
            "images": [digit.digest for digit in digits],
            "versions": [each.model.id for each in given],
            "rows": [each.outputs.probabilities for each in given],
            "cached": [each.outputs.cached for each in given],
        }

        def line(declared: Declared) -> bytes:
            new_images = [
                digit
                for digit in digits
                if digit.digest not in declared and self._adds(digit, declared)
            ]
            new_versions = [each.model for each in given if each.model.id not in declared]
            if new_images:
                by_digest = {digit.digest: digit for digit in new_images}
                record["new_images"] = self._described(list(by_digest.values()), declared)
            if new_versions:
                declared.update([model.id for model in new_versions])
                record["new_versions"] = [described(model) for model in new_versions]
            return orjson.dumps(record, option=RECORD_OPTIONS)

        try:
            journal.append(line)
        except JournalFullError:
            if self._refuses:
                raise
            self._metrics.journal_dropped.inc(len(digits) * len(given))

    def versions(self, models: Sequence[ModelVersion]) -> None:
        """Keep which versions there are, and of their states what changed since the last time.

        A full journal takes them, too.
        """
        if self._journal is None:
            return
        with self._seeing:
            documents = {each["id"]: each for model in models for each in _states(model)}
            states = {key: (each["status"], each["reason"]) for key, each in documents.items()}
            if states == self._seen:
                return
            changed = [
                each for key, each in documents.items() if self._seen.get(key) != states[key]
            ]
            record = {"at": time.time_ns() // 1000, "states": changed, "present": list(states)}
            try:
                self._journal.append(
                    _constant(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)),
                    beyond_limit=True,
                )
            except JournalFullError as error:
                logger.error(
                    "The states of the models could not be logged: %s", error
                )  # its message says it all
            else:
                self._seen = states

    def status(self) -> dict[str, Any]:
        """Return whether the log takes predictions, and how much of it Postgres does not have yet."""
        journal = self._journal
        if journal is None:
            return {"status": "off"}
        waiting_bytes, waiting_seconds = journal.pending()
        waiting = {"waiting_bytes": waiting_bytes, "waiting_seconds": round(waiting_seconds, 1)}
        if journal.fault is not None:
            return {"status": "failing", "detail": journal.fault, **waiting}
        return {"status": "full" if journal.is_full else "ok", **waiting}

    def _adds(self, digit: PreprocessedImage, declared: Declared) -> bool:
        """Tell whether an image is to be described that is not declared, or only without an
        original while this one may be kept.
        """
        return digit.digest + BARE not in declared or (
            digit.original is not None and self._keeps_more
        )

    @property
    def _keeps_more(self) -> bool:
        """Whether originals are kept now.

        Half of the journal is for them, the other half is for the predictions.
        """
        return (
            self._keeps_originals and self._journal is not None and not self._journal.is_half_full
        )

    def _described(self, digits: Sequence[PreprocessedImage], declared: Declared) -> dict[str, Any]:
        """Return what a record says of new images, and declare them."""
        documents = [
            {
                "digest": digit.digest,
                "width": digit.width,
                "height": digit.height,
                "bytes": digit.pixels.nbytes if digit.original is None else len(digit.original),
                "media_type": ARRAY if digit.original is None else media_type(digit.original),
            }
            for digit in digits
        ]
        pixels = b"".join([digit.pixels.tobytes() for digit in digits])
        described: dict[str, Any] = {
            "documents": documents,
            "pixels": base64.b64encode(pixels).decode(),
        }
        kept = (
            [digit.original is not None for digit in digits]
            if self._keeps_more
            else [False] * len(digits)
        )
        if any(kept):
            originals = [
                None if digit.original is None else base64.b64encode(digit.original).decode()
                for digit in digits
            ]
            described["originals"] = originals
        elif self._keeps_originals:
            self._metrics.originals_dropped.inc(sum(digit.original is not None for digit in digits))
        declared.update(
            [
                digit.digest if is_kept else digit.digest + BARE
                for digit, is_kept in zip(digits, kept, strict=True)
            ]
        )
        return described


def described(model: ModelVersion) -> dict[str, Any]:
    """Return what the database keeps of a version, READY."""
    return {
        "id": model.id,
        "experiment_name": model.name,
        "version": model.version,
        "digest": model.digest,
        "format": "litert",
        "task": model.task,
        "classes": model.classes,
        "input": asdict(model.input),
        "output": model.output,
        "bytes": model.bytes,
        "parity": asdict(model.parity) if model.parity else None,
        "test_accuracy": model.test_accuracy,
        "status": State.READY.value,
        "reason": None,
    }


def _states(model: ModelVersion) -> list[dict[str, Any]]:
    """Return a version with its state, and its newer content that does not serve, if there is one."""
    states = [{**described(model), "status": model.state.value, "reason": _printable(model.reason)}]
    if model.update is not None:
        content = ModelVersion(
            model.name, model.update.state, model.version, digest=model.update.digest
        )
        states.append(
            {
                **described(content),
                "status": content.state.value,
                "reason": _printable(model.update.reason),
            }
        )
    return states


def _printable(reason: str | None) -> str | None:
    """Return a reason, which may quote a file, as text that Postgres takes."""
    return (
        None
        if reason is None
        else "".join([each if each.isprintable() else " " for each in reason])
    )


def _constant(line: bytes) -> Callable[[Declared], bytes]:
    return lambda _declared: line
