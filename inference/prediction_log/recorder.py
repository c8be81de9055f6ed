"""Prediction recorder: writes predictions and model states to the journal as records.

`decoder` reads the records. A record holds the outputs of some model versions for the images of one
or more requests. It describes the images and versions that no earlier record of its segment
describes, so that a segment can be read on its own. It describes an image again to add an original
or a warning that an earlier record left out.
"""

import base64
import hashlib
import itertools
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from inference import ids
from inference.errors import JournalFullError
from inference.models.replica import Replica
from inference.models.version import ModelVersion
from inference.observability.metrics import Metrics
from inference.prediction_log.journal import Journal
from inference.prediction_log.version_records import describe_states, describe_version
from inference.preprocessing.decoding import media_type
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.outputs import Outputs

RECORD_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
NATIVE = "native"  # protocol of the service's own API

logger = logging.getLogger(__name__)


class RequestInfo(NamedTuple):
    """Request for predictions: its id, the client program, and its start by time.perf_counter().

    Its predictions are recorded only if it is logged. `protocol` is that of the client.
    """

    request_id: str
    source: str | None
    started: float
    is_logged: bool = True
    protocol: str = NATIVE

    def milliseconds(self) -> float:
        """Return the milliseconds since the start."""
        return round((time.perf_counter() - self.started) * 1000, 3)


class ModelOutputs(NamedTuple):
    """Outputs of a model version for some images."""

    model: ModelVersion
    outputs: Outputs


@dataclass
class _DescribedKeys:
    """Digests of images, each with whether its original is included, and ids of versions."""

    segment: int = 0
    images: dict[str, bool] = field(default_factory=dict)
    warned_images: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)


class PredictionLog:
    """Records predictions and model states. Thread-safe."""

    def __init__(
        self,
        journal: Journal | None,
        metrics: Metrics,
        *,
        keeps_originals: bool,
        refuses: bool,
        replica: Replica | None = None,
        share: float = 1.0,
    ) -> None:
        """Write to a journal, or record nothing without one.

        A full journal fails the request if the log `refuses`. Otherwise the predictions are dropped
        from the log and counted. `replica` has the recorded states, by default a new one.
        Of all requests, a `share` of 0 to 1 is logged. The others are counted.
        """
        self._journal = journal
        self._metrics = metrics
        self._keeps_originals = keeps_originals
        self._refuses = refuses
        self._share = share
        self._append_lock = threading.Lock()  # guards the order of _described and the journal
        self._described = _DescribedKeys()
        self._replica = replica or Replica()
        self._states_lock = threading.Lock()
        self._states: dict[str, tuple[str, str | None, bool]] = {}

    def record_predictions(
        self,
        images: Sequence[PreprocessedImage],
        requests: Sequence[RequestInfo],
        milliseconds: Sequence[float],
        outputs: Iterable[ModelOutputs],
    ) -> None:
        """Record the outputs of some model versions for some images.

        `requests` and `milliseconds` have one entry for each image, or one for all images. Raises
        JournalFullError.
        """
        journal = self._journal
        if journal is None:
            return
        columns = list(outputs)
        if self._share < 1:
            kept = [is_sampled(request.request_id, self._share) for request in requests]
            if not all(kept):
                rows = len(images) if len(requests) == 1 else kept.count(False)
                self._metrics.sampled_out.inc(rows * len(columns))
                if not any(kept):
                    return
                images = list(itertools.compress(images, kept))
                requests = list(itertools.compress(requests, kept))
                milliseconds = list(itertools.compress(milliseconds, kept))
                columns = [_compress(column, kept) for column in columns]
        at = time.time_ns() // 1000
        record = {
            "at": at,
            "events": f"{ids.first_event_id(at):032x}",
            "requests": [request.request_id for request in requests],
            "sources": [request.source for request in requests],
            "milliseconds": milliseconds,
            "images": [image.digest for image in images],
            "versions": [column.model.id for column in columns],
            "rows": [column.outputs.probabilities for column in columns],
            "cached": [column.outputs.cached for column in columns],
        }
        protocols = [request.protocol for request in requests]
        if protocols.count(NATIVE) < len(protocols):
            record["protocols"] = protocols
        try:
            with self._append_lock:
                segment = journal.begin_record()
                if segment != self._described.segment:
                    self._described = _DescribedKeys(segment)
                try:
                    self._add_descriptions(record, images, [column.model for column in columns])
                    journal.append(orjson.dumps(record, option=RECORD_OPTIONS))
                except BaseException:
                    self._described = _DescribedKeys()  # these descriptions were not written
                    raise
        except JournalFullError:
            if self._refuses:
                raise
            self._metrics.journal_dropped.inc(len(images) * len(columns))

    def record_versions(self, models: Sequence[ModelVersion]) -> None:
        """Record the available versions, and those whose state changed or that were measured.

        The limit of the journal does not apply.
        """
        if self._journal is None:
            return
        with self._states_lock:
            documents = {state["id"]: state for model in models for state in describe_states(model)}
            states = {
                key: (document["status"], document["reason"], "robustness" in document)
                for key, document in documents.items()
            }
            if states == self._states:
                return
            changed = [
                document
                for key, document in documents.items()
                if self._states.get(key) != states[key]
            ]
            record = {
                "at": time.time_ns() // 1000,
                "replica": {"id": self._replica.id, "host": self._replica.host},
                "states": changed,
                "present": list(states),
            }
            everything = {**record, "states": list(documents.values())}
            self._replica.keep(orjson.dumps(everything, option=RECORD_OPTIONS))
            try:
                with self._append_lock:
                    self._journal.begin_record(is_limited=False)
                    self._journal.append(orjson.dumps(record, option=RECORD_OPTIONS))
            except JournalFullError as error:
                logger.error("The states of the models are not recorded. %s", error)
            else:
                self._states = states

    def _add_descriptions(
        self,
        record: dict[str, Any],
        images: Sequence[PreprocessedImage],
        models: Sequence[ModelVersion],
    ) -> None:
        """Describe the images and versions of a record that its segment does not describe yet."""
        described = self._described
        new_images = {
            (image.digest, image.warnings): image
            for image in images
            if self._needs_description(image)
        }
        if new_images:
            record["new_images"] = self._describe_images(list(new_images.values()))
        new_versions = [model for model in models if model.id not in described.versions]
        if new_versions:
            record["new_versions"] = [describe_version(model) for model in new_versions]
            described.versions.update([model.id for model in new_versions])

    def _needs_description(self, image: PreprocessedImage) -> bool:
        """Return whether an image is new, or has an original or a warning that can be added now."""
        has_original = self._described.images.get(image.digest)
        if has_original is None:
            return True
        if image.warnings and image.digest not in self._described.warned_images:
            return True
        return not has_original and image.original is not None and self._accepts_originals

    @property
    def _accepts_originals(self) -> bool:
        """Whether originals are included. One half of the journal is reserved for predictions."""
        return (
            self._keeps_originals and self._journal is not None and not self._journal.is_half_full
        )

    def _describe_images(self, images: Sequence[PreprocessedImage]) -> dict[str, Any]:
        originals = [image.original for image in images]
        description: dict[str, Any] = {
            "documents": [
                {
                    "digest": image.digest,
                    "width": image.width,
                    "height": image.height,
                    "bytes": image.pixels.nbytes if image.original is None else len(image.original),
                    "media_type": image.array_type
                    if image.original is None
                    else media_type(image.original),
                    **({"warnings": image.warnings} if image.warnings else {}),
                }
                for image in images
            ],
            "pixels": base64.b64encode(
                b"".join([image.pixels.tobytes() for image in images])
            ).decode(),
        }
        original_count = len(originals) - originals.count(None)
        is_included = original_count > 0 and self._accepts_originals
        if is_included:
            description["originals"] = [
                None if original is None else base64.b64encode(original).decode()
                for original in originals
            ]
        elif self._keeps_originals:
            self._metrics.originals_dropped.inc(original_count)
        self._described.images.update(
            {image.digest: is_included and image.original is not None for image in images}
        )
        self._described.warned_images.update(image.digest for image in images if image.warnings)
        return description


def is_sampled(request_id: str, share: float) -> bool:
    """Return whether a request belongs to the `share` of requests that are logged.

    It depends on the id alone, so a request that is repeated under its id is treated alike.
    """
    digest = hashlib.blake2b(request_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest) < share * 2**32


def _compress(column: ModelOutputs, kept: Sequence[bool]) -> ModelOutputs:
    """Return the outputs for the images that are kept."""
    outputs = column.outputs
    return column._replace(
        outputs=Outputs(
            outputs.probabilities[list(kept)],
            list(itertools.compress(outputs.cached, kept)),
            list(itertools.compress(outputs.class_indexes, kept)),
        )
    )
