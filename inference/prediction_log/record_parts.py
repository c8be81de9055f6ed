"""Record parts: divides a record that Postgres cannot write in time."""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from inference.prediction_log.image_statistics import SIDE

Document = Mapping[str, Any]
DESCRIPTIONS = ("new_images", "new_versions")


class RecordParts(NamedTuple):
    """Records that together hold the rows of one record.

    descriptions: only the images and versions that it describes, which later records refer to.
    halves: the record in two, each with the descriptions of its own images. Empty for a record of
        one prediction, and for one of model states.
    """

    descriptions: bytes
    halves: list[bytes]


def divide_record(line: bytes) -> RecordParts:
    """Divide a valid record. Only `descriptions` has the original images."""
    record = orjson.loads(line)
    descriptions = {
        "at": record["at"],
        "events": "0",
        **dict.fromkeys(
            ("requests", "sources", "milliseconds", "images", "versions", "rows", "cached"), ()
        ),
        **{name: record[name] for name in DESCRIPTIONS if name in record},
    }
    return RecordParts(_encode(descriptions), list(map(_encode, _halves(record))))


def _halves(record: Document) -> list[Document]:
    versions, images = record.get("versions", ()), record.get("images", ())
    if len(versions) > 1:
        middle = len(versions) // 2
        return [
            _part(record, slice(start, end), slice(None), start * len(images))
            for start, end in ((0, middle), (middle, len(versions)))
        ]
    if len(images) > 1:
        middle = len(images) // 2
        return [
            _part(record, slice(None), slice(start, end), start)
            for start, end in ((0, middle), (middle, len(images)))
        ]
    return []


def _part(record: Document, versions: slice, images: slice, first_event: int) -> Document:
    """Return the part of a record for some versions and images; ids count by version, then image.

    first_event: number of the record's events before those of the part.
    """
    part = {
        **record,
        "events": f"{int(record['events'], 16) + first_event:032x}",
        "images": record["images"][images],
        "versions": record["versions"][versions],
        "rows": [rows[images] for rows in record["rows"][versions]],
        "cached": [cached[images] for cached in record["cached"][versions]],
    }
    if len(record["requests"]) == len(record["images"]):  # else one request for all images
        for name in {"requests", "sources", "milliseconds", "protocols"} & record.keys():
            part[name] = record[name][images]
    if "new_images" in record:
        part["new_images"] = _describe(record["new_images"], set(part["images"]))
    return part


def _describe(description: Document, digests: set[str]) -> Document:
    pixels = base64.b64decode(description["pixels"])
    kept = [
        (document, pixels[index * SIDE * SIDE : (index + 1) * SIDE * SIDE])
        for index, document in enumerate(description["documents"])
        if document["digest"] in digests
    ]
    return {
        "documents": [document for document, _ in kept],
        "pixels": base64.b64encode(b"".join([part for _, part in kept])).decode(),
    }


def _encode(record: Document) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
