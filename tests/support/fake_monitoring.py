"""Fake reads and writes of the monitoring for tests of the dashboard without a browser."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from monitoring.detector import Observations, PathReference
from tests.support.monitoring_images import digits
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.monitoring.client import AskedLabels
from web.data.monitoring.metrics import ServiceMetrics
from web.data.monitoring.types import (
    Alert,
    ChangedFeature,
    Detector,
    ExampleImage,
    Examples,
    MonitorState,
    RecentImages,
    Reference,
    ReferenceRequest,
)
from web.data.stale_cache import CachedResult

NOW = datetime.now(UTC)
DIGITS = tuple("0123456789")
EVIDENCE_COLUMNS = [
    "monitor_id", "experiment_name", "version", "family", "path", "threshold", "at", "images",
    "evidence", "estimated_accuracy",
]  # fmt: skip
SKEW_COLUMNS = [
    "experiment_name", "version", "path", "feature", "test_mean", "test_deviation",
    "traffic_mean", "shift", "test_images", "traffic_images", "accepted_at",
]  # fmt: skip


def make_detector(number: int = 1, family: str = "inputs", **changes: Any) -> Detector:
    """Return a detector of the champion of the task digits that sees no change."""
    defaults: dict[str, Any] = {
        "task": "digits",
        "experiment_name": "ready_1",
        "version": 1,
        "path": "as_sent",
        "state": "ok",
        "images": 12_345,
        "learnt": 0,
        "skipped": 0,
        "evidence": 1.2,
        "threshold": 6.0 if family == "labels" else 7.0,
        "top_feature": "peak",
        "origin": "test",
        "reference_images": 5000,
        "reference_at": NOW - timedelta(days=1),
        "examined_at": NOW,
    }
    return Detector(id=number, family=family, **{**defaults, **changes})


def make_alert(number: int = 3, **changes: Any) -> Alert:
    """Return an open warning about the inputs of the task digits, with the given changes.

    The change was 14 minutes ago, however long the tests run.
    """
    now = datetime.now(UTC)
    defaults: dict[str, Any] = {
        "task": "digits",
        "experiment_name": "ready_1",
        "version": 1,
        "kind": "drift",
        "family": "inputs",
        "families": ("inputs",),
        "path": "as_sent",
        "severity": "warning",
        "opened_at": now - timedelta(minutes=13),
        "onset_at": now - timedelta(minutes=14),
        "onset_number": 10_300,
        "image_number": 10_412,
        "evidence": 7.6,
        "features": (
            ChangedFeature("peak", 0.6, "inputs"),
            ChangedFeature("lit", 0.3, "inputs"),
            ChangedFeature("mean", 0.1, "inputs"),
        ),
        "sources": {"python-requests": 0.93, "curl": 0.07},
        "example_count": 8,
        "last_seen_at": now,
        "quiet_images": 0,
        "closed_at": None,
        "closed_by": None,
        "close_reason": None,
    }
    return Alert(id=number, **{**defaults, **changes})


@cache
def make_reference(path: str = "as_sent") -> Reference:
    """Return a reference of drawn digits."""
    pixels, labels = digits(1500, 1)
    classes = np.array([int(label) for label in labels], np.int64)
    count = len(classes)
    probabilities = np.full((count, 10), 0.01, np.float32)
    probabilities[np.arange(count), classes] = 0.91
    observations = Observations(pixels, classes, probabilities, np.linspace(0, 0.99, count))
    fitted = PathReference.fit(observations, np.ones(count, np.bool_))
    return Reference(path, "test", count, fitted.to_json(), DIGITS)


class FakeMonitoring:
    """Reads of the monitoring. Tests set its fields."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.was_ever_up = True
        self.seen_seconds: float | None = 1.0
        self.tasks: tuple[str, ...] = ("digits",)
        self.detectors = [
            make_detector(number, family)
            for number, family in enumerate(("inputs", "novelty", "confidence", "labels"), 1)
        ]
        self.open_alerts: list[Alert] = []
        self.closed_alerts: list[Alert] = []
        self.requests: list[ReferenceRequest] = []
        self.points = 5
        self.estimated: float | None = 0.98
        self.known_references: tuple[Reference, ...] = ()
        self.labels = [("random", 120, 118), ("volunteered", 30, 20)]
        self.answers = [("ready_1", 1, 400, 2.5, 9.0)]
        self.skews: list[tuple[Any, ...]] = []

    def _result(self, value: Any) -> CachedResult[Any]:
        return CachedResult(value if self.was_ever_up else None, 40.0, self.problem)

    def state(self) -> CachedResult[MonitorState]:
        return self._result(
            MonitorState(
                self.seen_seconds,
                self.tasks,
                {"digits": "ready_1@1"},
                tuple(self.detectors),
                tuple(self.open_alerts),
                tuple(self.requests),
            )
        )

    def alerts(self, task: str) -> CachedResult[tuple[Alert, ...]]:
        every = (*self.open_alerts, *self.closed_alerts)
        return self._result(tuple(one for one in every if one.task == task))

    def examples(self, _alert: int) -> CachedResult[Examples]:
        image = ExampleImage(bytes(784), "7")
        return self._result(Examples((image,) * 8, (image,) * 8))

    def evidence(self, task: str, _days: int) -> CachedResult[pd.DataFrame]:
        rows = [
            (
                one.id, one.experiment_name, one.version, one.family, one.path, one.threshold,
                pd.Timestamp(NOW), 100 * number, 0.5 * number, self.estimated,
            )
            for one in self.detectors
            if one.task == task
            for number in range(1, self.points + 1)
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=EVIDENCE_COLUMNS)
        return self._result(frame.astype({"estimated_accuracy": "float64"}))

    def references(self, _name: str, _version: int) -> CachedResult[tuple[Reference, ...]]:
        return self._result(self.known_references)

    def recent(self, _name: str, _version: int, _path: str) -> CachedResult[RecentImages]:
        pixels, labels = digits(60, 2)
        return self._result(RecentImages(pixels.tobytes(), tuple(labels)))

    def accuracy(self, task: str, _days: int) -> CachedResult[tuple[pd.DataFrame, pd.DataFrame]]:
        hour = pd.Timestamp(NOW).floor("h")
        live = [(hour, "ready_1", 1, *one) for one in self.labels if task == "digits"]
        columns = ["hour", "experiment_name", "version", "source", "images", "correct"]
        names = sorted({(one.experiment_name, one.version) for one in self.detectors})
        test = [(*name, 0.991) for name in names]
        return self._result(
            (
                pd.DataFrame(live, columns=columns),
                pd.DataFrame(test, columns=["experiment_name", "version", "test_accuracy"]),
            )
        )

    def latency(self, _task: str, _days: int) -> CachedResult[tuple[pd.DataFrame, pd.DataFrame]]:
        columns = ["experiment_name", "version", "answers", "p50", "p99"]
        latency = pd.DataFrame(self.answers, columns=columns).assign(cached=0.25, last_at=NOW)
        traffic = [
            (pd.Timestamp(NOW) - timedelta(minutes=minutes), *row[:2], 100.0, row[3])
            for row in self.answers
            for minutes in (2, 1)
        ]
        names = ["at", "experiment_name", "version", "answers", "milliseconds"]
        return self._result((latency, pd.DataFrame(traffic, columns=names)))

    def skew(self, _task: str) -> CachedResult[pd.DataFrame]:
        return self._result(pd.DataFrame(self.skews, columns=SKEW_COLUMNS))

    def expire(self) -> None:
        """Do nothing: there is no cache."""

    def retry(self) -> None:
        """Do nothing: there is no cache."""


class FakeMonitoringApi:
    """Records the calls. With `error` set, every call raises it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: ApiProblemError | ApiUnreachableError | None = None
        self.served = ServiceMetrics({200: 990, 500: 10}, 0.2)

    def _call(self, *call: Any) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(call)

    def accept(self, task: str, images: int, *, by: str) -> None:
        self._call("accept", task, images, by)

    def close(self, alert: int, *, by: str, reason: str) -> None:
        self._call("close", alert, by, reason)

    def request_labels(self, alert: int, images: int, *, by: str) -> AskedLabels:
        self._call("request_labels", alert, images, by)
        return AskedLabels(images // 2, images // 2)
