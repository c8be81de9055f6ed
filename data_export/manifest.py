"""Manifest of an export: its files with rows and bytes, written after all of them.

It covers the files of earlier exports to the same place, unless this one replaced them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data_export.errors import ExportError
from data_export.relations import SCHEMA_VERSION

NAME = "manifest.json"


@dataclass(frozen=True)
class ExportedFile:
    """Entry of a file.

    day: UTC day of its rows, None for a file with all rows of its relation.
    day_is_over: False if rows may have been added to the day after the snapshot.
    """

    path: str
    relation: str
    day: str | None
    day_is_over: bool | None
    rows: int
    bytes: int
    snapshot_at: str


def parse(content: bytes | None) -> dict[str, Any]:
    """Return the entries of a manifest by path. Raises ExportError for an unknown version."""
    if content is None:
        return {}
    try:
        document = json.loads(content)
        if document["schema_version"] != SCHEMA_VERSION:
            raise ExportError(
                f"{NAME} has schema version {document['schema_version']}, and this export writes"
                f" version {SCHEMA_VERSION}. Set OUT to an empty place."
            )
        return {entry["path"]: entry for entry in document["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(
            f"{NAME} in OUT is not of an export. Set OUT to another place."
        ) from error


def build(
    properties: Mapping[str, Any], earlier: Mapping[str, Any], files: Iterable[ExportedFile]
) -> bytes:
    """Return a manifest of this export's properties, and of earlier and new files."""
    entries = {**earlier, **{file.path: asdict(file) for file in files}}
    document = {
        "schema_version": SCHEMA_VERSION,
        **properties,
        "files": [entries[path] for path in sorted(entries)],
    }
    return (json.dumps(document, indent=1) + "\n").encode()
