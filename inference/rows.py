"""Records of the journal -> rows of the database. Pure: log.py writes the records, shipper.py the rows."""

import base64
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from inference import identity

SIDE = 28
# What of 0 to 255 counts as ink: every byte by whether it does.
INK = 128
IS_INK = bytes(value >= INK for value in range(256))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Document = Mapping[str, Any]
Row = tuple[Any, ...]


class UnusableRecord(Exception):
    """A line of the journal that is no record; the message says what is wrong with it."""


@dataclass
class Rows:
    """What some records add, by table and key, each row in the order of the columns that `shipper.COPIED` names."""

    versions: dict[str, Document] = field(default_factory=dict)
    images: dict[str, Row] = field(default_factory=dict)
    predictions: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    states: list[Document] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "Rows":
        """Return the rows of some lines of a journal. Raises UnusableRecord."""
        rows = cls()
        for line in lines:
            try:
                record = orjson.loads(line)
                rows._add_states(record) if "states" in record else rows._add(record)
            except (ValueError, KeyError, TypeError, AttributeError, LookupError, OverflowError) as error:
                raise UnusableRecord(f"{type(error).__name__}: {error}") from error
        return rows

    def _add_states(self, record: Document) -> None:
        at = moment(record["at"])
        self.versions |= {each["id"]: {**each, "at": at} for each in record["states"] if each["id"] not in self.versions}
        self.states.append({"at": at, "states": record["states"], "present": record["present"]})

    def _add(self, record: Document) -> None:
        at = moment(record["at"])
        for version in record.get("new_versions", ()):
            self.versions.setdefault(version["id"], {**version, "at": at})
        if "new_images" in record:
            described = record["new_images"]
            pixels = base64.b64decode(described["pixels"])
            for index, document in enumerate(described["documents"]):
                digest = document["digest"]
                if digest not in self.images:
                    statistics = statistics_of(pixels[index * SIDE * SIDE : (index + 1) * SIDE * SIDE])
                    self.images[digest] = (digest[:32], *document.values(), *statistics, at)
        event = int(record["events"], 16)
        asked = list(zip(record["images"], record["requests"], record["sources"], record["milliseconds"], strict=True))
        for version, rows, cached in zip(record["versions"], record["rows"], record["cached"], strict=True):
            for (image, request, source, milliseconds), probabilities, was_cached in zip(asked, rows, cached, strict=True):
                event += 1
                if None in probabilities:  # not finite, and answered as a failure
                    continue
                prediction = identity.prediction_id(version, image)
                if prediction not in self.predictions:
                    confidence = max(probabilities)
                    index = probabilities.index(confidence)
                    self.predictions[prediction] = (prediction, image[:32], version, index, confidence, probabilities, at)
                self.events.append((f"{event - 1:032x}", at, prediction, milliseconds, was_cached, request, source))


def originals(lines: Iterable[bytes]) -> dict[str, tuple[str, bytes]]:
    """Return the media type and bytes of the originals that some lines hold, by image digest. What is no record has none."""
    found: dict[str, tuple[str, bytes]] = {}
    for line in lines:
        try:
            described = orjson.loads(line).get("new_images", {})
        except (ValueError, AttributeError):
            continue
        for document, original in zip(described.get("documents", ()), described.get("originals", ()), strict=False):
            if original is not None:
                found.setdefault(document["digest"], (document["media_type"], base64.b64decode(original)))
    return found


def statistics_of(pixels: bytes) -> tuple[float | None, ...]:
    """Return ink_share, mean, centroid_x, centroid_y and border, as table images has them, of 28x28 pixels, row by row.

    Without numpy, which would double this process's memory to save microseconds.
    """
    rows = [sum(pixels[start : start + SIDE]) for start in range(0, SIDE * SIDE, SIDE)]
    columns = [sum(pixels[start::SIDE]) for start in range(SIDE)]
    mass = sum(rows)
    corners = pixels[0] + pixels[SIDE - 1] + pixels[-SIDE] + pixels[-1]
    border = (rows[0] + rows[-1] + columns[0] + columns[-1] - corners) / (4 * (SIDE - 1))
    x, y = (sum(map(operator.mul, sums, range(SIDE))) / mass if mass else None for sums in (columns, rows))
    return pixels.translate(IS_INK).count(1) / SIDE**2, mass / SIDE**2, x, y, border


def moment(microseconds: int) -> str:
    """Return a Unix time in µs as Postgres reads it."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()
