"""Tables of the Monitor page: detectors, alerts, accuracy, latency and skew."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd

from evaluation.metrics import wilson_interval
from web.data.monitoring.types import Alert, Detector, MonitorState
from web.formatting import format_age, format_percent
from web.tables.monitoring.sentences import describe_alert, name_path

CANNOT_BE_TOLD = "cannot be told: what is sent has changed"
RANDOM = "random"
STATES = {"ok": "Ok", "drifting": "Drifting", "learning": "Learning"}
_PLAIN = str.maketrans("", "", "*\\\N{WORD JOINER}")


def detector_table(detectors: Sequence[Detector], now: datetime) -> pd.DataFrame:
    """Return one row per detector: version, family, images, state, evidence, reference, skipped."""
    return pd.DataFrame(
        {
            "version": [one.pinned_name for one in detectors],
            "family": [one.family for one in detectors],
            "path": [name_path(one.path) for one in detectors],
            "state": [STATES.get(one.state, one.state) for one in detectors],
            "images": [one.images for one in detectors],
            "evidence": [format_evidence(one.evidence) for one in detectors],
            "threshold": [format_evidence(one.threshold) for one in detectors],
            "top_feature": [one.top_feature for one in detectors],
            "reference": [_describe_reference(one) for one in detectors],
            "skipped": [one.skipped for one in detectors],
            "examined": [
                None
                if one.examined_at is None
                else format_age(max(0.0, (now - one.examined_at).total_seconds()))
                for one in detectors
            ],
        }
    )


def alert_table(alerts: Sequence[Alert], now: datetime) -> pd.DataFrame:
    """Return one row per alert, in their order."""
    return pd.DataFrame(
        {
            "alert": [one.id for one in alerts],
            "severity": [[one.severity.capitalize()] for one in alerts],
            "state": ["Open" if one.is_open else "Closed" for one in alerts],
            "what": [plain_alert(one, now) for one in alerts],
            "evidence": [format_evidence(one.evidence) for one in alerts],
            "opened": [one.opened_at.astimezone(UTC) for one in alerts],
            "lasted": [
                ((one.closed_at or now) - one.opened_at).total_seconds() / 60 for one in alerts
            ],
            "closed_by": [one.closed_by for one in alerts],
            "reason": [one.close_reason for one in alerts],
            "version": [one.pinned_name for one in alerts],
        }
    )


def plain_alert(alert: Alert, now: datetime) -> str:
    """Return what an alert says as plain text."""
    text = describe_alert(alert, now).translate(_PLAIN)
    return text[:1].upper() + text[1:]


def format_evidence(value: float | None) -> str | None:
    """Format the decimal logarithm of evidence as a power of ten: 10^7.6."""
    return None if value is None else f"10^{value:.1f}".replace("-", "\N{MINUS SIGN}")


def accuracy_table(
    live: pd.DataFrame, test: pd.DataFrame, estimated: Mapping[str, float], state: MonitorState
) -> pd.DataFrame:
    """Return the accuracy of each watched or labeled version.

    Args:
        live: experiment_name, version, source, images, correct; several rows per version.
        test: experiment_name, version, test_accuracy.
        estimated: estimated accuracy by pinned name, 0 to 1.
        state: of the monitor: its drift alerts make the estimate unknown.

    Returns:
        version, test (percent), random and other (percent with interval and number of labels),
        estimated.

    """
    counts: dict[tuple[str, bool], tuple[int, int]] = {}
    rows = zip(pinned_names(live), live["source"], live["images"], live["correct"], strict=True)
    for name, source, images, correct in rows:
        key = (name, source == RANDOM)
        before = counts.get(key, (0, 0))
        counts[key] = (before[0] + int(correct), before[1] + int(images))
    known = dict(zip(pinned_names(test), test["test_accuracy"], strict=True))
    names = list(dict.fromkeys([*known, *(name for name, _ in counts)]))
    drifting = {one.task for one in state.alerts if one.is_drift}
    task_of = {one.pinned_name: one.task for one in state.detectors}

    def cell(name: str, *, is_random: bool) -> str | None:
        count = counts.get((name, is_random))
        return None if count is None else describe_share(*count)

    def estimate(name: str) -> str | None:
        if task_of.get(name) in drifting:
            return CANNOT_BE_TOLD
        return format_percent(estimated[name], 1) if name in estimated else None

    return pd.DataFrame(
        {
            "version": names,
            "test": pd.Series([known.get(name, float("nan")) * 100 for name in names], dtype=float),
            "random": [cell(name, is_random=True) for name in names],
            "other": [cell(name, is_random=False) for name in names],
            "estimated": [estimate(name) for name in names],
        }
    )


def describe_share(correct: int, images: int) -> str:
    """Return an accuracy with its 95 % Wilson interval and its labels: 98.2 % (97-99), 120."""
    interval = wilson_interval(correct, images)
    return (
        f"{format_percent(correct / images, 1)}"
        f" ({interval.low * 100:.1f}\N{EN DASH}{interval.high * 100:.1f}),"
        f" {images:,}"
    )


def pinned_names(frame: pd.DataFrame) -> list[str]:
    """Return NAME@VERSION for each row with experiment_name and version."""
    pairs = zip(frame["experiment_name"], frame["version"], strict=True)
    return [f"{name}@{version}" for name, version in pairs]


def of_version(frame: pd.DataFrame, version: str | None) -> pd.DataFrame:
    """Return the rows of a version."""
    return frame[pd.Series(pinned_names(frame), frame.index, dtype="object") == version]


def latency_table(latency: pd.DataFrame) -> pd.DataFrame:
    """Return version, answers, p50, p99 (milliseconds) and cached (percent), a row per version."""
    return pd.DataFrame(
        {
            "version": pinned_names(latency),
            "answers": latency["answers"],
            "p50": latency["p50"],
            "p99": latency["p99"],
            "cached": latency["cached"] * 100,
        }
    )


def skew_table(skew: pd.DataFrame) -> pd.DataFrame:
    """Return one row per feature: version, path, feature, test, traffic, shift."""
    return pd.DataFrame(
        {
            "version": pinned_names(skew),
            "path": [name_path(path) for path in skew["path"]],
            "feature": skew["feature"],
            "test": skew["test_mean"],
            "traffic": skew["traffic_mean"],
            "shift": skew["shift"],
        }
    )


def _describe_reference(detector: Detector) -> str | None:
    if detector.origin is None:
        return None
    return f"{detector.reference_images:,} images of {detector.origin}"
