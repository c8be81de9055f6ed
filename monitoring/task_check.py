"""Task check: examines the next predictions of one task in one transaction.

It reads predictions by number, thins them, runs the detectors, and writes cursor, state, history
and alerts. The result depends on the stored rows only, not on how they are divided into checks.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring import learning
from monitoring.accuracy_check import check_accuracy
from monitoring.checks.alert_book import AlertBook, Details
from monitoring.checks.batch import Batch, make_batch
from monitoring.checks.history import Check
from monitoring.checks.track import Examined, FamilyState, Finding, advance, examine
from monitoring.detector import FAMILIES, LABELS, InvalidStateError, PathReference
from monitoring.evidence import describe, novel_images
from monitoring.reading import Reading, read
from monitoring.settings import Settings
from monitoring.storage import alerts, monitors
from monitoring.storage.monitors import Monitor
from monitoring.storage.references import References
from monitoring.storage.requests import ReferenceRequest
from monitoring.task_state import TaskState, Track, TrackKey

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Result of a check: the state after it, and numbers of images. `is_behind`: more wait."""

    state: TaskState
    examined: int = 0
    skipped: int = 0
    warned: int = 0
    is_behind: bool = False


@dataclass
class TaskCheck:
    """One check of a task."""

    cursor: Cursor
    settings: Settings
    references: References
    state: TaskState
    request: ReferenceRequest | None
    _changed: dict[int, Monitor] = field(default_factory=dict)
    _checks: dict[int, list[tuple[int, Check]]] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Examine the next predictions and labels. Raises psycopg2.Error."""
        self._begin_request()
        reading = read(self.cursor, self.settings, self.state)
        book = AlertBook(
            self.state.champion.id if self.state.champion else None, [], self._describe
        )
        is_loaded = bool(reading.position > self.state.position)
        if is_loaded:
            book.alerts = alerts.load_open(self.cursor, self.state.task, self.state.position)
            self._examine(reading, book)
        before = len(book.alerts)
        labels = check_accuracy(self.cursor, self.state, book, self.references, is_loaded=is_loaded)
        for monitor in labels:
            self._change(monitor)
        if is_loaded or len(book.alerts) != before or labels:
            self._store_alerts(book, reading.position)
        state = self._save(reading)
        if self.request is not None:
            learning.finish_if_learnt(self.cursor, state, self.request)
        return Outcome(
            state,
            reading.examined,
            sum(reading.skipped.values()),
            reading.warned,
            reading.is_behind,
        )

    def _begin_request(self) -> None:
        if self.request is None or learning.is_begun(self.state, self.request):
            return
        begun = learning.begin_request(self.cursor, self.state, self.request, self.settings)
        for old, new in zip(self.state.monitors, begun.monitors, strict=True):
            if old != new:
                self._change(new)
        self.state = begun
        for track in begun.tracks.values():
            self._learn(track, 0, begun.position)
        self.state = replace(
            begun,
            monitors=tuple(self._changed.get(monitor.id, monitor) for monitor in begun.monitors),
        )

    def _examine(self, reading: Reading, book: AlertBook) -> None:
        """Run the detectors on what was read, and go through their findings."""
        tracks = self.state.tracks
        batches = {
            key: make_batch(rows, tracks[key].version.indices)
            for key, rows in reading.accepted.items()
        }
        results: dict[int, tuple[FamilyState, Examined]] = {}
        findings: list[tuple[str, str, Finding]] = []
        examined: dict[str, list[int]] = {}
        for key, batch in batches.items():
            reference = self._reference(tracks[key])
            if reference is None:
                continue
            examined.setdefault(key[0], []).extend(batch.numbers.tolist())
            for monitor in tracks[key].monitors:
                before = _stored_state(monitor, reference)
                result = examine(reference, monitor.family, monitor.threshold, before, batch)
                results[monitor.id] = before, result
                classes = tracks[key].version.classes
                findings += [(*key, _named(finding, classes)) for finding in result.findings]
        versions, paths = self.state.version_ids, [key[1] for key in tracks]
        findings.sort(
            key=lambda found: (
                found[2].number,
                versions.index(found[0]),
                paths.index(found[1]),
                FAMILIES.index(found[2].family),
            )
        )
        book.run(findings, {version: sorted(numbers) for version, numbers in examined.items()})
        for key in {*batches, *reading.skipped}:
            self._advance(tracks[key], batches.get(key), results, book, reading)

    def _advance(
        self,
        track: Track,
        batch: Batch | None,
        results: dict[int, tuple[FamilyState, Examined]],
        book: AlertBook,
        reading: Reading,
    ) -> None:
        """Keep the results of a track."""
        count, skipped = 0 if batch is None else len(batch), reading.skipped.get(track.key, 0)
        reference = self._reference(track)
        if reference is None:
            self._learn(track, count, reading.position)
            return
        for monitor in track.monitors:
            evidence, top, checks = monitor.evidence, monitor.top_feature, list[Check]()
            if batch is None:
                state = _stored_state(monitor, reference)
            else:
                before, result = results[monitor.id]
                state, checks = advance(
                    reference, monitor.family, before, batch, result, book.drifting(batch.numbers)
                )
                evidence = float(result.update.evidence[-1])
                top = _name(result.update.top_feature, monitor.family, track.version.classes)
            self._checks[monitor.id] = [
                (monitor.images + check.position, check) for check in checks
            ]
            state = replace(state, history=state.history.skip(skipped))
            self._change(
                replace(
                    monitor,
                    images=monitor.images + count,
                    skipped=monitor.skipped + skipped,
                    state=tuple(state.to_list()),
                    evidence=evidence,
                    top_feature=top,
                )
            )

    def _learn(self, track: Track, images: int, position: int) -> None:
        """Count images for the reference of a track, and make it when there are enough."""
        wanted = track.learning
        if wanted is None:
            return
        learnt, reference_id = track.learnt + images, None
        if learnt >= wanted.target:
            is_asked = self.request is not None and self.request.id == wanted.request
            by = self.request.requested_by if self.request and is_asked else alerts.BY
            reference_id, learnt = learning.learn(self.cursor, track, position, self.settings, by)
        for monitor in track.monitors:
            if reference_id is not None:
                self._change(replace(monitor, reference_id=reference_id, state=(), learnt=0))
            elif monitor.learnt != learnt:
                self._change(replace(monitor, learnt=learnt))

    def _store_alerts(self, book: AlertBook, position: int) -> None:
        alerts.store(self.cursor, self.state.task, book.alerts)
        for alert in book.alerts:
            if not alert.has_risen or not alert.is_open:
                continue
            novel: dict[str, None] = {}
            for track in self.state.tracks.values():
                reference = self._reference(track)
                if track.version.id == alert.version_id and reference is not None:
                    images = novel_images(
                        self.cursor, self.settings, track, reference, alert, position
                    )
                    novel |= dict.fromkeys(images)
            alerts.ask_for_help(self.cursor, self.state.task, alert, list(novel))

    def _save(self, reading: Reading) -> TaskState:
        """Write the changed detectors and the cursor of all. Return the state after the check."""
        position = reading.position
        moved = {
            monitor.id: replace(self._changed.get(monitor.id, monitor), cursor=position)
            for track in self.state.tracks.values()
            for monitor in track.monitors
        }
        for version, numbers in reading.allowances.items():
            accuracy = self.state.accuracy_monitors.get(version)
            if accuracy is not None:
                accuracy = self._changed.get(accuracy.id, accuracy)
                rest = accuracy.state[len(numbers) :]
                self._change(replace(accuracy, state=(*numbers, *rest)))
        after = {**self._changed, **moved}
        monitors.save(self.cursor, [after[identifier] for identifier in self._changed])
        monitors.add_checks(self.cursor, self._checks)
        if position > self.state.position:
            others = [monitor for key, monitor in moved.items() if key not in self._changed]
            monitors.move(self.cursor, others, position)
        kept = tuple(after.get(monitor.id, monitor) for monitor in self.state.monitors)
        return replace(self.state, monitors=kept, position=position)

    def _change(self, monitor: Monitor) -> None:
        self._changed[monitor.id] = monitor

    def _reference(self, track: Track) -> PathReference | None:
        if track.reference_id is None:
            return None
        return self.references.get(self.cursor, track.reference_id)

    def _describe(self, version: str, path: str, finding: Finding) -> Details:
        key: TrackKey = version, path
        track = self.state.tracks[key]
        reference = self._reference(track)
        if reference is None:
            return Details({}, [])
        return describe(self.cursor, self.settings, track, reference, finding)


def _named(finding: Finding, classes: Sequence[str]) -> Finding:
    """Return a finding whose features are labels instead of their indices."""
    features = tuple(
        (_name(name, finding.family, classes), share) for name, share in finding.features
    )
    return replace(finding, features=features)


def _name(feature: str, family: str, classes: Sequence[str]) -> str:
    return classes[int(feature.rpartition(" ")[2])] if family == LABELS else feature


def _stored_state(monitor: Monitor, reference: PathReference) -> FamilyState:
    """Return the state of a detector, the first one if what is stored does not fit."""
    try:
        return FamilyState.from_list(monitor.state, reference, monitor.family)
    except (InvalidStateError, ValueError, IndexError):
        logger.warning("A detector starts again", extra={"monitor": monitor.id})
        return FamilyState.start(reference, monitor.family)
