"""Records of the journal -> rows of the database. Pure: log.py writes the records, shipper.py the rows."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from inference import identity
from inference.image import SIDE

# What of 0 to 255 counts as ink.
INK = 128
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
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
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
            pixels = np.frombuffer(base64.b64decode(described["pixels"]), np.uint8).reshape(-1, SIDE, SIDE)
            for document, statistics in zip(described["documents"], statistics_of(pixels), strict=True):
                digest = document["digest"]
                self.images.setdefault(digest, (digest[:32], *document.values(), *statistics, at))
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


def statistics_of(pixels: NDArray[np.uint8]) -> Sequence[tuple[float | None, ...]]:
    """Return ink_share, mean, centroid_x, centroid_y and border, as table images has them, of uint8 pixels of shape (n, 28, 28)."""
    values = pixels.astype(np.float64)
    mass = values.sum(axis=(1, 2))
    positions = np.arange(SIDE)
    with np.errstate(invalid="ignore"):
        x = values.sum(axis=1) @ positions / mass
        y = values.sum(axis=2) @ positions / mass
    outermost = mass - values[:, 1:-1, 1:-1].sum(axis=(1, 2))
    columns = ((pixels >= INK).mean(axis=(1, 2)), values.mean(axis=(1, 2)), x, y, outermost / (4 * (SIDE - 1)))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [tuple(None if math.isnan(value) else value for value in row) for row in rows]


def moment(microseconds: int) -> str:
    """Return a Unix time in µs as Postgres reads it."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()


def uuid(number: str) -> str:
    """Return an id of 32 hexadecimal digits as Postgres shows it."""
    return str(UUID(number))
