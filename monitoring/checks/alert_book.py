"""Alert book: turns findings of the detectors into alerts. One change of a task is one alert.

The book goes through findings and examined images in the order of their numbers, so a repeated
check gives the same alerts. It changes alerts in memory only.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.checks.track import Finding, Onset
from monitoring.detector import CONFIDENCE, INPUTS, LABELS, NOVELTY

QUIET_IMAGES = 500
ACCURACY, DRIFT = "accuracy", "drift"
INFO, WARNING, CRITICAL = "info", "warning", "critical"
SEVERITIES = (INFO, WARNING, CRITICAL)
IMAGE_FAMILIES = frozenset({INPUTS, NOVELTY})
MAX_FEATURES = 8
MIN_SHARE = 0.02
MAX_EXAMPLES = 8
OVER = "Over: 500 images passed without further evidence."
JOINED = "Joined the alert of the champion."


class Details(NamedTuple):
    """Programs that sent the images since the onset, with their shares, and example images."""

    sources: dict[str, float]
    examples: list[str]


@dataclass
class Alert:
    """Alert of a task. `id` is None before it is stored."""

    id: int | None
    version_id: str
    kind: str
    family: str
    families: list[str]
    path: str
    severity: str
    onset: Onset
    image_number: int
    evidence: float
    features: list[dict[str, Any]]
    details: Details
    quiet_images: int = 0
    position: int = 0  # predictions.number up to which quiet images are counted
    opened_at_number: int = 0
    is_seen: bool = False  # a detector has warned in this check
    is_changed: bool = False
    has_risen: bool = False  # to critical, in this check
    close_reason: str | None = None
    closed_at_number: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing has closed it."""
        return self.close_reason is None

    def close(self, reason: str, number: int) -> None:
        """Close the alert at a prediction."""
        self.close_reason, self.closed_at_number = reason, number

    def raise_to(self, severity: str) -> None:
        """Raise the severity. It never falls."""
        if SEVERITIES.index(severity) > SEVERITIES.index(self.severity):
            self.severity = severity
            self.has_risen = severity == CRITICAL


Describe = Callable[[str, str, Finding], Details]


@dataclass
class AlertBook:
    """Alerts of one task.

    Attributes:
        champion: id of the champion's version, None without one.
        alerts: the open alerts, and those that a check adds, in the order of their opening.
        describe: returns the details of a finding, by version and path. Called for a new alert and
            for a family that joins one.

    """

    champion: str | None
    alerts: list[Alert]
    describe: Describe
    examined: dict[str, list[int]] = field(default_factory=dict)  # numbers by version

    def run(
        self,
        findings: Sequence[tuple[str, str, Finding]],
        examined: dict[str, list[int]],
    ) -> None:
        """Go through a check.

        `findings` are version, path and finding, in the order of their numbers. `examined` has the
        ascending numbers of the images that were examined, by version.
        """
        self.examined = examined
        for version, path, finding in findings:
            self.count_quiet_images(finding.number - 1)
            self.add(version, path, finding)
        last = max((numbers[-1] for numbers in examined.values() if numbers), default=0)
        self.count_quiet_images(last)

    def count_quiet_images(self, number: int) -> None:
        """Count the quiet images up to a prediction, and close what has been quiet for long."""
        for alert in self.alerts:
            if not alert.is_open or alert.kind != DRIFT or alert.position >= number:
                continue
            numbers = self.examined.get(alert.version_id, [])
            start, end = bisect_right(numbers, alert.position), bisect_right(numbers, number)
            alert.position = number
            if end == start:
                continue
            alert.is_changed = True
            if alert.quiet_images + end - start >= QUIET_IMAGES:
                last = numbers[start + QUIET_IMAGES - alert.quiet_images - 1]
                alert.quiet_images = QUIET_IMAGES
                alert.close(OVER, last)
            else:
                alert.quiet_images += end - start

    def add(self, version: str, path: str, finding: Finding) -> None:
        """Open an alert for a finding, or join it to the open one."""
        alert = self.find(version, finding.family)
        if alert is None:
            self._open(version, path, finding)
        else:
            self._touch(alert, version, path, finding)

    def find(self, version: str, family: str) -> Alert | None:
        """Return the open alert that a finding belongs to, None if there is none."""
        for owner in dict.fromkeys((version if family == LABELS else self.champion, version)):
            for alert in self.alerts:
                is_same = (alert.family == LABELS) == (family == LABELS)
                if alert.is_open and alert.version_id == owner and alert.kind == DRIFT and is_same:
                    return alert
        return None

    def add_accuracy(self, version: str, finding: Finding) -> None:
        """Join worse accuracy to the drift alert of the task, or open an alert of its own."""
        alert = self.find(version, ACCURACY) or next(
            (
                alert
                for alert in self.alerts
                if alert.is_open and alert.version_id == version and alert.kind == ACCURACY
            ),
            None,
        )
        if alert is None:
            self._append(version, "all", finding, ACCURACY, WARNING, Details({}, []))
            return
        self._touch(alert, version, "all", finding, Details({}, []))
        if alert.kind == DRIFT and version == alert.version_id:
            alert.raise_to(CRITICAL)

    def count_quiet_labels(self, version: str, labels: int) -> None:
        """Count labels without a finding for the accuracy alert of a version."""
        for alert in self.alerts:
            if alert.is_open and alert.kind == ACCURACY and alert.version_id == version and labels:
                alert.quiet_images = min(QUIET_IMAGES, alert.quiet_images + labels)
                alert.is_changed = True
                if alert.quiet_images == QUIET_IMAGES:
                    alert.close("Over: 500 labels passed without further evidence.", 0)

    def drifting(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each prediction whether an alert of the images is open there."""
        result = np.zeros(len(numbers), np.bool_)
        for alert in self.alerts:
            if IMAGE_FAMILIES & set(alert.families):
                end = alert.closed_at_number
                result |= (numbers >= alert.opened_at_number) & (
                    True if end is None else numbers <= end
                )
        return result

    def _open(self, version: str, path: str, finding: Finding) -> None:
        severity = INFO if finding.family == LABELS else WARNING
        details = self.describe(version, path, finding)
        alert = self._append(version, path, finding, DRIFT, severity, details)
        if version != self.champion or finding.family == LABELS:
            return
        for other in self.alerts[:-1]:
            if not other.is_open or other.family == LABELS:
                continue
            if other.kind == ACCURACY and other.version_id == version:
                alert.raise_to(CRITICAL)
            elif other.kind == DRIFT:
                alert.features += other.features
                other.close(JOINED, finding.number)

    def _append(
        self, version: str, path: str, finding: Finding, kind: str, severity: str, details: Details
    ) -> Alert:
        alert = Alert(
            id=None,
            version_id=version,
            kind=kind,
            family=finding.family,
            families=[finding.family],
            path=path,
            severity=severity,
            onset=finding.onset,
            image_number=finding.image,
            evidence=finding.evidence,
            features=_features(finding),
            details=details,
            position=finding.number,
            opened_at_number=finding.number,
            is_seen=True,
            is_changed=True,
        )
        self.alerts.append(alert)
        return alert

    def _touch(
        self,
        alert: Alert,
        version: str,
        path: str,
        finding: Finding,
        details: Details | None = None,
    ) -> None:
        """Note that a detector has warned again, or that another family has."""
        alert.is_seen = alert.is_changed = True
        alert.quiet_images = 0
        alert.position = max(alert.position, finding.number)
        alert.evidence = max(alert.evidence, finding.evidence)
        if 0 < finding.onset.number < alert.onset.number:
            alert.onset = finding.onset
        is_own = version == alert.version_id
        if not any(feature["family"] == finding.family for feature in alert.features):
            alert.features += _features(finding)
            found = details or self.describe(version, path, finding)
            examples = dict.fromkeys([*alert.details.examples, *found.examples])
            alert.details = Details(
                found.sources or alert.details.sources, list(examples)[:MAX_EXAMPLES]
            )
        if is_own and finding.family not in alert.families:
            alert.families.append(finding.family)
        families = set(alert.families)
        if alert.kind == DRIFT and families & IMAGE_FAMILIES and CONFIDENCE in families:
            alert.raise_to(CRITICAL)


def _features(finding: Finding) -> list[dict[str, Any]]:
    """Return the features with the largest shares of the evidence, at least one."""
    chosen = [pair for pair in finding.features if pair[1] >= MIN_SHARE][:MAX_FEATURES]
    return [
        {"feature": name, "share": round(share, 4), "family": finding.family}
        for name, share in chosen or finding.features[:1]
    ]
