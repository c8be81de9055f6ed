"""Records of a run: points, parameters, tags and changes, and their JSON form.

Each record may be sent again: a point with its time is stored once, and a change sets values.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

Param: TypeAlias = str | int | float
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
MAX_STEP = 2**63 - 1


class Point(NamedTuple):
    """A value of a metric. `at` is the time of the call of `log`, in milliseconds since 1970."""

    metric: str
    step: int
    value: float
    at: int

    def document(self) -> dict[str, Any]:
        """Return the JSON form. NaN and infinite values are texts."""
        value = self.value
        if math.isnan(value):
            text: float | str = "NaN"
        elif math.isinf(value):
            text = "Infinity" if value > 0 else "-Infinity"
        else:
            text = value
        return {"metric": self.metric, "step": self.step, "value": text, "at": self.at}


@dataclass(frozen=True, slots=True)
class Entries:
    """Points, parameters and tags that one request stores together."""

    points: Sequence[Point] = ()
    params: Mapping[str, Param] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the body of POST /experiments/NAME/points."""
        body: dict[str, Any] = {"points": [point.document() for point in self.points]}
        if self.params:
            body["params"] = dict(self.params)
        if self.tags:
            body["tags"] = dict(self.tags)
        return body


@dataclass(frozen=True, slots=True)
class Change:
    """Changed fields of a run: the body of PATCH /experiments/NAME."""

    fields: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return the body."""
        return dict(self.fields)


Record: TypeAlias = Entries | Change


def to_document(record: Record) -> dict[str, Any]:
    """Return the form of a record in a spool file."""
    kind = "entries" if isinstance(record, Entries) else "change"
    return {kind: record.document()}


def from_document(document: Mapping[str, Any]) -> Record:
    """Read a record of a spool file. Raises KeyError, TypeError and ValueError for any other."""
    if "change" in document:
        return Change(dict(document["change"]))
    entries = document["entries"]
    return Entries(
        [
            Point(point["metric"], point["step"], float(point["value"]), point["at"])
            for point in entries["points"]
        ],
        entries.get("params", {}),
        entries.get("tags", {}),
    )


class NumberedRecord(NamedTuple):
    """A record and its place in the run's sequence."""

    number: int
    record: Record


class Batch(NamedTuple):
    """Consecutive records as one, the number of the last of them, and the sum of their weights."""

    record: Record
    last: int
    weight: int


def weight(record: Record) -> int:
    """Return the number of points, at least 1."""
    return max(len(record.points), 1) if isinstance(record, Entries) else 1


def first_batch(records: Iterable[NumberedRecord], max_points: int) -> Batch | None:
    """Join the first entries of a sequence to one request, up to about `max_points` points."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return None
    last, record = first
    if isinstance(record, Change):
        return Batch(record, last, 1)
    total = weight(record)
    points, params, tags = list(record.points), dict(record.params), dict(record.tags)
    for number, following in iterator:
        if (
            isinstance(following, Change)
            or len(points) + len(following.points) > max_points
            or params.keys() & following.params.keys()
        ):
            break
        points += following.points
        params.update(following.params)
        tags.update(following.tags)
        last = number
        total += weight(following)
    return Batch(Entries(points, params, tags), last, total)


def chunks(points: Sequence[Point], size: int) -> Iterator[Sequence[Point]]:
    """Yield the points in pieces of at most `size`."""
    for start in range(0, len(points), size):
        yield points[start : start + size]
