"""Task state: the detectors of one task as the monitor keeps them between two checks.

It mirrors the database and is replaced after each commit. After an error it is loaded again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.checks.alert_book import ACCURACY
from monitoring.storage.monitors import Monitor
from monitoring.storage.versions import Version

LEARNT_IMAGES = 2000
LEARNING_NUMBERS = 3
TrackKey = tuple[str, str]  # version and path


class Learning(NamedTuple):
    """A reference that is being learnt, stored as the state of the detectors that wait for it.

    It is made of the newest `target` images after the prediction `start`. `request` is the id of
    the reference_requests that asked for it, 0 if none did.
    """

    start: int
    target: int
    request: int

    @classmethod
    def of(cls, monitor: Monitor) -> "Learning | None":
        """Return what a detector waits for, None if it has a reference or has not begun."""
        if monitor.reference_id is not None or len(monitor.state) != LEARNING_NUMBERS:
            return None
        return cls(*map(int, monitor.state))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers to store as the state of a detector."""
        return tuple(map(float, self))


@dataclass(frozen=True)
class Track:
    """Detectors of one path of a version. They share their reference, or what they learn."""

    version: Version
    path: str
    monitors: tuple[Monitor, ...]

    @property
    def key(self) -> TrackKey:
        """Version and path."""
        return self.version.id, self.path

    @property
    def reference_id(self) -> int | None:
        """Reference of the detectors, None while they learn."""
        return self.monitors[0].reference_id

    @property
    def learning(self) -> Learning | None:
        """What the detectors learn, None with a reference."""
        return Learning.of(self.monitors[0])

    @property
    def learnt(self) -> int:
        """Number of images that are ready for the reference."""
        return self.monitors[0].learnt


@dataclass(frozen=True)
class TaskState:
    """Watched versions of a task, their detectors, and the number up to which all are examined."""

    task: str
    versions: tuple[Version, ...]
    monitors: tuple[Monitor, ...]
    position: int

    @property
    def version_ids(self) -> list[str]:
        """Ids of the versions, the champion's first."""
        return [version.id for version in self.versions]

    @property
    def champion(self) -> Version | None:
        """Version of the champion, None without one."""
        return next((version for version in self.versions if version.is_champion), None)

    @property
    def tracks(self) -> dict[TrackKey, Track]:
        """Detectors of predictions, by version and path."""
        return make_tracks(self.versions, self.monitors)

    @property
    def accuracy_monitors(self) -> dict[str, Monitor]:
        """Detectors of the accuracy, by version."""
        return {
            monitor.version_id: monitor for monitor in self.monitors if monitor.family == ACCURACY
        }


def make_tracks(versions: Sequence[Version], monitors: Sequence[Monitor]) -> dict[TrackKey, Track]:
    """Return the detectors of predictions, by version and path."""
    by_id = {version.id: version for version in versions}
    grouped: dict[TrackKey, list[Monitor]] = {}
    for monitor in monitors:
        if monitor.family != ACCURACY and monitor.version_id in by_id:
            grouped.setdefault((monitor.version_id, monitor.path), []).append(monitor)
    return {key: Track(by_id[key[0]], key[1], tuple(members)) for key, members in grouped.items()}
