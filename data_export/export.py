"""Export run: writes the files of the wanted days from one snapshot, and the manifest last."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from data_export import manifest, parquet
from data_export.destination import Destination, unwritable
from data_export.manifest import ExportedFile
from data_export.relations import SCHEMA_VERSION, Relation
from data_export.snapshot import Snapshot

PRODUCT_VERSION = "0.1.0"  # of pyproject.toml, which the images do not have
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """First and last day (UTC), both included. None has no limit."""

    since: date | None = None
    until: date | None = None

    def of(self, first: date, last: date) -> Iterator[date]:
        """Yield the days from `first` to `last` that are within the limits."""
        day = max(first, self.since or first)
        last = min(last, self.until or last)
        while day <= last:
            yield day
            day += DAY


class Export:
    """One export to a destination."""

    def __init__(
        self, snapshot: Snapshot, destination: Destination, report: Callable[[ExportedFile], None]
    ) -> None:
        """report: called after each file that was stored."""
        self._snapshot = snapshot
        self._destination = destination
        self._report = report

    def run(self, relations: tuple[Relation, ...], days: Days) -> list[ExportedFile]:
        """Write all files and the manifest, and return the entries of the files.

        A day without rows has no file. A file of it from an earlier export stays, because the
        retention may have removed its rows since. Raises ExportError.
        """
        earlier = manifest.parse(self._destination.get(manifest.NAME))
        migration = self._snapshot.migration()
        files = []
        for relation in relations:
            for file in self._write_relation(relation, days):
                files.append(file)
                self._report(file)
        properties = {
            "product_version": PRODUCT_VERSION,
            "migration": migration,
            "snapshot_at": self._snapshot.at.isoformat(),
            "since": days.since and days.since.isoformat(),
            "until": days.until and days.until.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
        }
        self._put_manifest(manifest.build(properties, earlier, files))
        return files

    def _write_relation(self, relation: Relation, days: Days) -> Iterator[ExportedFile]:
        if not relation.is_daily:
            if file := self._write(relation, None):
                yield file
            return
        found = self._snapshot.days(relation)
        for day in days.of(*found) if found else ():
            if file := self._write(relation, day):
                yield file

    def _write(self, relation: Relation, day: date | None) -> ExportedFile | None:
        """Store a file. Returns None for a day without rows. Raises ExportError."""
        path, at = relation.path(day), self._snapshot.at
        is_over = None if day is None else at.date() > day
        metadata = {
            "mlops.relation": relation.name,
            "mlops.schema_version": str(SCHEMA_VERSION),
            "mlops.product_version": PRODUCT_VERSION,
            "mlops.snapshot_at": at.isoformat(),
            **({"mlops.day": str(day), "mlops.day_is_over": str(is_over).lower()} if day else {}),
        }
        scratch = self._destination.scratch() / "part.parquet"
        try:
            with self._snapshot.read(relation, day) as batches:
                rows = parquet.write(scratch, batches, metadata)
            size = scratch.stat().st_size
        except OSError as error:
            raise unwritable(scratch.parent, self._destination.variable, error) from error
        if day is not None and not rows:
            scratch.unlink()
            return None
        self._destination.put(path, scratch)
        return ExportedFile(
            path, relation.name, str(day) if day else None, is_over, rows, size, at.isoformat()
        )

    def _put_manifest(self, content: bytes) -> None:
        scratch = self._destination.scratch() / manifest.NAME
        try:
            scratch.write_bytes(content)
        except OSError as error:
            raise unwritable(scratch.parent, self._destination.variable, error) from error
        self._destination.put(manifest.NAME, scratch)
