"""Records of the journal -> rows of the database.

Pure: log.py writes the records, tables.py the rows.
"""

import base64
import operator
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from inference import ids
from servicekit import pg_copy

SIDE = 28
# What of 0 to 255 counts as ink: every byte by whether it does.
INK = 128
IS_INK = bytes(value >= INK for value in range(256))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000  # in µs, as all times of records

# The order of rows of COPY. In that of an event, what all events of a request have in common comes
# first, and is made once.
EVENT_COLUMNS = "at, request_id, source, milliseconds, cached, prediction_id, id"
EVENT_BEGIN = pg_copy.begin_row(7)
PREDICTION_COLUMNS = "id, image_id, model_version_id, class_index, confidence, probabilities, created_at, events, last_event_at"
PREDICTION_BEGIN = pg_copy.begin_row(9)
IMAGE_COLUMNS = "id, digest, width, height, bytes, media_type, ink_share, mean, centroid_x, centroid_y, border, first_seen_at"
IMAGE_BEGIN = pg_copy.begin_row(12)
CACHED = {
    cached: pg_copy.raw(bytes([cached])) + struct.pack("!i", 16) for cached in (False, True)
}  # and the length of an id
ID_LENGTH = struct.pack("!i", 16)
NEW_IMAGES = b'"new_images"'

Document = Mapping[str, Any]


class InvalidRecordError(Exception):
    """A line of the journal that is no record; the message says what is wrong with it."""


class SeenKeys:
    """What the database is known to have: the ids of predictions by image and version.

    It is no harm to forget it.
    """

    MOST = 30_000  # some 10 MB

    def __init__(self) -> None:
        self.images: dict[str, dict[str, bytes]] = {}
        self.predictions = 0

    def forget(self) -> None:
        """Know nothing."""
        self.images.clear()
        self.predictions = 0


class Prediction(NamedTuple):
    """A new prediction.

    Its row of COPY without the last two columns, which its events tell, and when it was made.
    """

    row: bytes
    at: int


@dataclass
class Rows:
    """What some records add, by table and key, of what is not `known`; that is known by then."""

    known: SeenKeys
    versions: dict[str, Document] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)  # rows of COPY, by digest
    predictions: dict[bytes, Prediction] = field(default_factory=dict)
    events: dict[str, list[bytes]] = field(default_factory=dict)  # rows of COPY, by month
    counts: dict[bytes, list[int]] = field(
        default_factory=dict
    )  # events and time of the last one, by prediction
    traffic: dict[tuple[int, str], list[float]] = field(
        default_factory=dict
    )  # events, cached, milliseconds, by minute and version
    states: list[Document] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        """Add the rows of a line of a journal. Raises InvalidRecordError."""
        try:
            record = orjson.loads(line)
            self._add_states(record) if "states" in record else self._add(record)
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
        at = moment(record["at"])
        for each in record["states"]:
            self._describe(each, at)
        self.states.append({"at": at, "states": record["states"], "present": record["present"]})

    def _describe(self, version: Document, at: str) -> None:
        """Keep what a version is.

        Of one that was being compiled more is known later than its first state and time.
        """
        before = self.versions.get(version["id"])
        if before is None:
            self.versions[version["id"]] = {**version, "at": at}
        elif before["bytes"] is None:
            self.versions[version["id"]] = {
                **version,
                **{name: before[name] for name in ("at", "status", "reason")},
            }

    def _add(self, record: Document) -> None:
        at = record["at"]
        for version in record.get("new_versions", ()):
            self._describe(version, moment(at))
        if "new_images" in record:
            self._add_images(record["new_images"], at)
        events = self.events.setdefault(month(at // MINUTE), [])
        event = int(record["events"], 16)
        known, counts, minute = self.known.images, self.counts, at // MINUTE
        begin = EVENT_BEGIN + pg_copy.timestamptz(at)
        milliseconds = record["milliseconds"]
        commons = [
            begin + pg_copy.text(request) + _source(source) + pg_copy.real(took)
            for request, source, took in zip(
                record["requests"], record["sources"], milliseconds, strict=True
            )
        ]
        if len(commons) == 1:  # of all
            commons, milliseconds = (
                commons * len(record["images"]),
                milliseconds * len(record["images"]),
            )
        asked = [
            (image, known.setdefault(image, {}), each, common)
            for image, each, common in zip(record["images"], milliseconds, commons, strict=True)
        ]
        for version, rows, cached in zip(
            record["versions"], record["rows"], record["cached"], strict=True
        ):
            answered, remembered, took = 0, 0, 0.0
            for (image, of_image, each, common), probabilities, was_cached in zip(
                asked, rows, cached, strict=True
            ):
                if None not in probabilities:  # else it was not finite, and answered as a failure
                    prediction = of_image.get(version) or self._new_prediction(
                        image, version, probabilities, at
                    )
                    events.append(
                        common + CACHED[was_cached] + prediction + ID_LENGTH + event.to_bytes(16)
                    )
                    count = counts.get(prediction)
                    if count is None:
                        counts[prediction] = [1, at]
                    else:
                        count[0] += 1
                        count[1] = max(count[1], at)
                    answered += 1
                    remembered += was_cached
                    took += each
                event += 1
            if answered:
                traffic = self.traffic.setdefault((minute, version), [0, 0, 0.0])
                traffic[0] += answered
                traffic[1] += remembered
                traffic[2] += took

    def _add_images(self, described: Document, at: int) -> None:
        pixels = None
        for index, document in enumerate(described["documents"]):
            digest = document["digest"]
            if digest not in self.known.images:
                self.known.images[digest] = {}
                pixels = pixels or base64.b64decode(described["pixels"])
                statistics = statistics_of(pixels[index * SIDE * SIDE : (index + 1) * SIDE * SIDE])
                self.images[digest] = _image(document, statistics, at)

    def _new_prediction(
        self, image: str, version: str, probabilities: list[float], at: int
    ) -> bytes:
        prediction = self.known.images[image][version] = uuid(ids.prediction_id(version, image))
        self.known.predictions += 1
        self.predictions[prediction] = Prediction(
            _prediction(prediction, image, version, probabilities, at), at
        )
        return prediction


class SentOriginal(NamedTuple):
    """An image as it was sent, and when (Unix time, µs)."""

    media_type: str
    data: bytes
    at: int


def originals(lines: Iterable[bytes]) -> dict[str, SentOriginal]:
    """Return the originals that some lines hold, the latest of each image, by its digest.

    What is no record has none.
    """
    found: dict[str, SentOriginal] = {}
    for line in lines:
        if NEW_IMAGES not in line:  # most have none, and are not worth being read for that
            continue
        try:
            record = orjson.loads(line)
            described, at = record["new_images"], record["at"]
        except (ValueError, KeyError, TypeError):
            continue
        for document, original in zip(
            described.get("documents", ()), described.get("originals", ()), strict=False
        ):
            if original is not None:
                found[document["digest"]] = SentOriginal(
                    document["media_type"], base64.b64decode(original), at
                )
    return found


def statistics_of(pixels: bytes) -> tuple[float | None, ...]:
    """Return ink_share, mean, centroid_x, centroid_y and border, as table images has them, of 28x28
    pixels, row by row.

    Without numpy, which would double this process's memory to save microseconds.
    """
    rows = [sum(pixels[start : start + SIDE]) for start in range(0, SIDE * SIDE, SIDE)]
    columns = [sum(pixels[start::SIDE]) for start in range(SIDE)]
    mass = sum(rows)
    corners = pixels[0] + pixels[SIDE - 1] + pixels[-SIDE] + pixels[-1]
    border = (rows[0] + rows[-1] + columns[0] + columns[-1] - corners) / (4 * (SIDE - 1))
    x, y = (
        sum(map(operator.mul, sums, range(SIDE))) / mass if mass else None
        for sums in (columns, rows)
    )
    return pixels.translate(IS_INK).count(1) / SIDE**2, mass / SIDE**2, x, y, border


def uuid(digits: str) -> bytes:
    """Return the 16 bytes of a uuid."""
    return bytes.fromhex(digits.replace("-", ""))


@lru_cache(maxsize=4096)
def moment(microseconds: int) -> str:
    """Return a Unix time in µs as Postgres reads it."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()


@lru_cache(maxsize=64)
def month(minutes: int) -> str:
    """Return the month of a Unix time in minutes, as its partition's name ends: 2026_01."""
    return f"{EPOCH + timedelta(minutes=minutes):%Y_%m}"


@lru_cache(maxsize=256)
def _source(source: str | None) -> bytes:
    return pg_copy.text(source)


def _image(document: Document, statistics: Iterable[float | None], at: int) -> bytes:
    return b"".join(
        [
            IMAGE_BEGIN,
            pg_copy.raw(uuid(document["digest"][:32])),
            pg_copy.text(document["digest"]),
            *(pg_copy.integer(document[name]) for name in ("width", "height", "bytes")),
            pg_copy.text(document["media_type"]),
            *map(pg_copy.real, statistics),
            pg_copy.timestamptz(at),
        ]
    )


def _prediction(key: bytes, image: str, version: str, probabilities: list[float], at: int) -> bytes:
    confidence = max(probabilities)
    return b"".join(
        [
            PREDICTION_BEGIN,
            *map(pg_copy.raw, (key, uuid(image[:32]), uuid(version))),
            pg_copy.integer(probabilities.index(confidence)),
            pg_copy.real(confidence),
            pg_copy.reals(probabilities),
            pg_copy.timestamptz(at),
        ]
    )
