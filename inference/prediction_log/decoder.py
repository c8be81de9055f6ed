"""Record decoder: turns journal records into rows of the log's tables. Performs no I/O."""

import base64
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from inference import ids
from inference.prediction_log.image_statistics import SIDE, compute_statistics
from inference.prediction_log.row_encoding import (
    CACHED_AND_UUID_LENGTH,
    MICROSECONDS_PER_MINUTE,
    UUID_LENGTH,
    encode_image,
    encode_pixels,
    encode_prediction,
    encode_shared_event_columns,
    partition_month,
    timestamp_text,
    uuid_bytes,
)

NEW_IMAGES = b'"new_images"'
NATIVE = "native"  # protocol of requests whose record names none

Document = Mapping[str, Any]


class InvalidRecordError(Exception):
    """A line of the journal is not a valid record. The message tells the reason."""


class SeenKeys:
    """Keys that the database already has: ids of predictions by image and version.

    A cache that may be cleared at any time, because Postgres ignores repeated rows.
    """

    MAX_PREDICTIONS = 30_000  # some 10 MB

    def __init__(self) -> None:
        self.images: dict[str, dict[str, bytes]] = {}
        self.warned_images: set[str] = set()  # those whose warnings are stored, too
        self.prediction_count = 0

    def clear(self) -> None:
        """Remove all keys."""
        self.images.clear()
        self.warned_images.clear()
        self.prediction_count = 0


class NewPrediction(NamedTuple):
    """Row of a new prediction without its event columns, and its time (Unix time, us)."""

    row: bytes
    at: int


@dataclass
class Rows:
    """Rows of some records, by table, without those of `seen`. Decoding adds keys to `seen`."""

    seen: SeenKeys
    versions: dict[str, Document] = field(default_factory=dict)  # by id
    robustness: dict[str, Document] = field(default_factory=dict)  # rows by id of the version
    images: dict[str, bytes] = field(default_factory=dict)  # by digest
    pixels: dict[str, bytes] = field(default_factory=dict)  # of the same images
    predictions: dict[bytes, NewPrediction] = field(default_factory=dict)  # by id
    events: dict[str, list[bytes]] = field(default_factory=dict)  # by month
    # Number of events and time of the last one, by prediction
    counts: dict[bytes, list[int]] = field(default_factory=dict)
    # Events, cached events and milliseconds, by minute and version
    traffic: dict[tuple[int, str], list[float]] = field(default_factory=dict)
    states: list[Document] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        """Decode a record. Raises InvalidRecordError."""
        try:
            record = orjson.loads(line)
            self._add_states(record) if "states" in record else self._add_predictions(record)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            LookupError,
            OverflowError,
            struct.error,
        ) as error:
            raise InvalidRecordError(f"{type(error).__name__}: {error}") from error

    def _add_states(self, record: Document) -> None:
        at = timestamp_text(record["at"])
        for version in record["states"]:
            self._add_version(version, at)
            if "robustness" in version:
                self.robustness[version["id"]] = version["robustness"]
        replica = record.get("replica")
        if replica is not None:  # services before the table of replicas did not name theirs
            own = {"replica": replica["id"], "host": replica["host"]}
            states = {"states": record["states"], "present": record["present"]}
            self.states.append({"at": at, **own, **states})

    def _add_version(self, version: Document, at: str) -> None:
        """Add the description of a version.

        A version that was compiled or probed meanwhile is described completely by a later record,
        but keeps its first state and time.
        """
        previous = self.versions.get(version["id"])
        if previous is None:
            self.versions[version["id"]] = {**version, "at": at}
        elif previous["bytes"] is None or version.get("probe") not in (None, previous.get("probe")):
            first = {name: previous[name] for name in ("at", "status", "reason")}
            self.versions[version["id"]] = {**version, **first}

    def _add_predictions(self, record: Document) -> None:
        at = record["at"]
        for version in record.get("new_versions", ()):
            self._add_version(version, timestamp_text(at))
        if "new_images" in record:
            self._add_images(record["new_images"], at)
        images, milliseconds = record["images"], record["milliseconds"]
        requests = record["requests"]
        protocols = record.get("protocols") or (NATIVE,) * len(requests)
        event_starts = [
            encode_shared_event_columns(at, request, source, protocol, elapsed)
            for request, source, protocol, elapsed in zip(
                requests, record["sources"], protocols, milliseconds, strict=True
            )
        ]
        if len(event_starts) == 1:  # one request for all images
            event_starts, milliseconds = event_starts * len(images), milliseconds * len(images)
        seen = self.seen.images
        columns = [
            (image, seen.setdefault(image, {}), elapsed, event_start)
            for image, elapsed, event_start in zip(images, milliseconds, event_starts, strict=True)
        ]
        first_event_id = int(record["events"], 16)
        for version, rows, cached in zip(
            record["versions"], record["rows"], record["cached"], strict=True
        ):
            self._add_events(version, columns, rows, cached, first_event_id, at)
            first_event_id += len(columns)

    def _add_events(
        self,
        version: str,
        columns: Iterable[tuple[str, dict[str, bytes], float, bytes]],
        rows: Iterable[list[float]],
        cached: Iterable[bool],
        event_id: int,
        at: int,
    ) -> None:
        """Add the events of one version, with ids from `event_id` on."""
        minute, counts = at // MICROSECONDS_PER_MINUTE, self.counts
        events = self.events.setdefault(partition_month(minute), [])
        event_count, cached_count, total_milliseconds = 0, 0, 0.0
        for (image, predictions, elapsed, event_start), probabilities, is_cached in zip(
            columns, rows, cached, strict=True
        ):
            # None stands for a number that is not finite. The response was an error then.
            if None not in probabilities:
                prediction = predictions.get(version) or self._add_prediction(
                    image, version, probabilities, at
                )
                events.append(
                    event_start
                    + CACHED_AND_UUID_LENGTH[is_cached]
                    + prediction
                    + UUID_LENGTH
                    + event_id.to_bytes(16)
                )
                count = counts.get(prediction)
                if count is None:
                    counts[prediction] = [1, at]
                else:
                    count[0] += 1
                    count[1] = max(count[1], at)
                event_count += 1
                cached_count += is_cached
                total_milliseconds += elapsed
            event_id += 1
        if event_count:
            traffic = self.traffic.setdefault((minute, version), [0, 0, 0.0])
            traffic[0] += event_count
            traffic[1] += cached_count
            traffic[2] += total_milliseconds

    def _add_images(self, description: Document, at: int) -> None:
        pixels = None
        for index, document in enumerate(description["documents"]):
            digest = document["digest"]
            is_new_warning = document.get("warnings") and digest not in self.seen.warned_images
            if digest not in self.seen.images or is_new_warning:
                self.seen.images.setdefault(digest, {})
                if is_new_warning:
                    self.seen.warned_images.add(digest)
                pixels = pixels or base64.b64decode(description["pixels"])
                own = pixels[index * SIDE * SIDE : (index + 1) * SIDE * SIDE]
                self.images[digest] = encode_image(document, compute_statistics(own), at)
                self.pixels[digest] = encode_pixels(digest, own)

    def _add_prediction(
        self, image: str, version: str, probabilities: list[float], at: int
    ) -> bytes:
        prediction_id = uuid_bytes(ids.prediction_id(version, image))
        self.seen.images[image][version] = prediction_id
        self.seen.prediction_count += 1
        self.predictions[prediction_id] = NewPrediction(
            encode_prediction(prediction_id, image, version, probabilities, at), at
        )
        return prediction_id


class LoggedOriginal(NamedTuple):
    """An image as the client sent it, and its time (Unix time, us)."""

    media_type: str
    data: bytes
    at: int


def decode_originals(lines: Iterable[bytes]) -> dict[str, LoggedOriginal]:
    """Return the originals of some records, by digest, the latest one for each image.

    Ignores invalid records, which the shipper handles.
    """
    originals: dict[str, LoggedOriginal] = {}
    for line in lines:
        if NEW_IMAGES not in line:  # saves the parsing of most records
            continue
        try:
            record = orjson.loads(line)
            description, at = record["new_images"], record["at"]
        except (ValueError, KeyError, TypeError):
            continue
        for document, original in zip(
            description.get("documents", ()), description.get("originals", ()), strict=False
        ):
            if original is not None:
                originals[document["digest"]] = LoggedOriginal(
                    document["media_type"], base64.b64decode(original), at
                )
    return originals
