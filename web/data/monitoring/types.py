"""Types of the monitoring: detectors, alerts, requests for references, and example images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

ALIVE_SECONDS = 30.0
DRIFT, INPUTS, LABELS = "drift", "inputs", "labels"
OK, DRIFTING, LEARNING = "ok", "drifting", "learning"
SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True)
class Detector:
    """One detector of the monitor, see the view drift_now.

    Attributes:
        id: drift_monitors.id.
        task, experiment_name, version: the model version that it watches.
        path: as_sent, framed or all.
        family: inputs, novelty, confidence, labels or accuracy.
        state: ok, drifting or learning.
        images: number of examined images.
        learnt: number of images that are ready for the reference that it learns.
        skipped: number of images that were not examined.
        evidence, threshold: decimal logarithms. The evidence is None before the first image.
        top_feature: feature with the largest share of the evidence.
        origin: of the reference, test or traffic. None without a reference.
        reference_images: number of its images.
        reference_at, examined_at: times with time zone.

    """

    id: int
    task: str
    experiment_name: str
    version: int
    path: str
    family: str
    state: str
    images: int
    learnt: int
    skipped: int
    evidence: float | None
    threshold: float
    top_feature: str | None
    origin: str | None
    reference_images: int | None
    reference_at: datetime | None
    examined_at: datetime | None

    @property
    def pinned_name(self) -> str:
        """Name of the version: NAME@2."""
        return f"{self.experiment_name}@{self.version}"


@dataclass(frozen=True)
class ChangedFeature:
    """Feature of an alert, with its share of the evidence, 0 to 1, and its family."""

    feature: str
    share: float
    family: str


@dataclass(frozen=True)
class Alert:
    """One alert, see the table alerts.

    Attributes:
        features: changed features, largest share first.
        sources: share of the images since the onset by program, 0 to 1.
        example_count: number of its example images.
        The others are columns of the table.

    """

    id: int
    task: str
    experiment_name: str | None
    version: int | None
    kind: str
    family: str
    families: tuple[str, ...]
    path: str
    severity: str
    opened_at: datetime
    onset_at: datetime | None
    onset_number: int | None
    image_number: int
    evidence: float
    features: tuple[ChangedFeature, ...]
    sources: Mapping[str, float]
    example_count: int
    last_seen_at: datetime
    quiet_images: int
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed yet."""
        return self.closed_at is None

    @property
    def is_drift(self) -> bool:
        """Whether what is sent changed, which makes the estimated accuracy unknown."""
        return self.kind == DRIFT and self.family != LABELS

    @property
    def pinned_name(self) -> str | None:
        """Name of the version: NAME@2. None for an alert about no version."""
        return None if self.version is None else f"{self.experiment_name}@{self.version}"


@dataclass(frozen=True)
class ReferenceRequest:
    """Waiting request to take what is sent now as normal."""

    task: str
    images: int
    requested_by: str
    asked_at: datetime


@dataclass(frozen=True)
class MonitorState:
    """Monitor as it stands, read in one transaction.

    Attributes:
        seen_seconds: seconds since its last sign of life, None if there was none.
        tasks: tasks with an experiment or a model, most experiments first.
        champions: pinned name of the champion of each task that has one.
        detectors: watched detectors.
        alerts: open alerts, latest first.
        requests: waiting requests for references.

    """

    seen_seconds: float | None
    tasks: tuple[str, ...]
    champions: Mapping[str, str]
    detectors: tuple[Detector, ...]
    alerts: tuple[Alert, ...]
    requests: tuple[ReferenceRequest, ...]

    @property
    def is_alive(self) -> bool:
        """Whether a monitor has been seen lately."""
        return self.seen_seconds is not None and self.seen_seconds < ALIVE_SECONDS

    def of_task(self, task: str) -> Sequence[Detector]:
        """Return the detectors of a task."""
        return [one for one in self.detectors if one.task == task]

    def alerts_of(self, task: str) -> Sequence[Alert]:
        """Return the open alerts of a task, the most severe first, then the latest."""
        return sorted(
            (one for one in self.alerts if one.task == task),
            key=lambda one: (SEVERITIES.index(one.severity), -one.id),
        )


@dataclass(frozen=True)
class ExampleImage:
    """Image with its predicted label; `pixels` are 28x28 bytes, ink high."""

    pixels: bytes
    label: str


@dataclass(frozen=True)
class Examples:
    """Images of an alert that contributed the most evidence, and images from before its onset."""

    strange: tuple[ExampleImage, ...]
    ordinary: tuple[ExampleImage, ...]


@dataclass(frozen=True)
class RecentImages:
    """Newest examined images of a version: pixels one after another, and predicted labels."""

    pixels: bytes
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """Current reference of a version and path: its sketch, and the labels of its classes."""

    path: str
    origin: str
    images: int
    sketch: Mapping[str, object]
    classes: tuple[str, ...]
