"""Metrics of the monitor for Prometheus: a snapshot that the last check left."""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitoring.settings import Settings

VERSION_LABELS = ("task", "experiment_name", "version")
DRIFT_LABELS = (*VERSION_LABELS, "family")
UNKNOWN = math.nan

logger = logging.getLogger(__name__)

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Accuracy:
    """Accuracies of a version, 0 to 1, NaN where unknown. `live` has Wilson's 95 % interval."""

    test: float = UNKNOWN
    estimated: float = UNKNOWN
    live: float = UNKNOWN
    lower: float = UNKNOWN
    upper: float = UNKNOWN


@dataclass(frozen=True)
class Snapshot:
    """State of the watched versions.

    Attributes:
        open: 1 where an alert is open, else 0, by task, experiment, version, family and severity.
        evidence: log10 of the evidence by task, experiment, version and family.
        accuracies: by task, experiment and version.

    """

    open: Mapping[Labels, int] = field(default_factory=dict)
    evidence: Mapping[Labels, float] = field(default_factory=dict)
    accuracies: Mapping[Labels, Accuracy] = field(default_factory=dict)


@dataclass
class Counts:
    """Numbers of images of a task since the start of the process."""

    examined: int = 0
    skipped: int = 0
    warned: int = 0


class MonitorCollector(Collector):
    """Metrics of the monitor. The attributes are replaced as a whole, by one thread."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.counts: dict[str, Counts] = {}
        self.checked_at: float | None = None

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of the last snapshot."""
        snapshot = self.snapshot
        yield _gauge(
            "mlops_drift_open",
            "Whether an alert of a model version is open, by family and severity.",
            (*DRIFT_LABELS, "severity"),
            snapshot.open,
        )
        yield _gauge(
            "mlops_drift_evidence",
            "Decimal logarithm of the evidence of a drift, the higher one of both paths.",
            DRIFT_LABELS,
            snapshot.evidence,
        )
        for name, text, attribute in (
            ("test_accuracy", "Accuracy on the test images of the reference.", "test"),
            ("estimated_accuracy", "Accuracy by calibrated confidence.", "estimated"),
            ("live_accuracy", "Accuracy on labels that were asked for at random.", "live"),
            ("live_accuracy_lower", "Lower bound of the live accuracy, 95 %.", "lower"),
            ("live_accuracy_upper", "Upper bound of the live accuracy, 95 %.", "upper"),
        ):
            values = {
                labels: getattr(accuracy, attribute)
                for labels, accuracy in snapshot.accuracies.items()
            }
            yield _gauge(f"mlops_{name}", text, VERSION_LABELS, values)
        for name, text in (
            ("examined", "Images that the monitor has examined."),
            ("skipped", "Images that it has not examined because there were too many."),
            ("warned", "Images that it has not examined because they have a warning."),
        ):
            counter = CounterMetricFamily(f"mlops_monitor_{name}_images", text, labels=["task"])
            for task, counts in list(self.counts.items()):
                counter.add_metric([task], getattr(counts, name))
            yield counter
        last = GaugeMetricFamily(
            "mlops_monitor_last_check_timestamp_seconds",
            "Time of the last check of the monitor that holds the lease, Unix time.",
        )
        if self.checked_at is not None:
            last.add_metric([], self.checked_at)
        yield last


def serve(collector: MonitorCollector, settings: Settings) -> None:
    """Serve the metrics on MONITOR_METRICS_PORT. A port that is taken is logged."""
    if not settings.metrics_port:
        return
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        logger.warning(
            "The metrics of the monitor are not served: %s. Set MONITOR_METRICS_PORT.",
            error.strerror,
            extra={"host": settings.metrics_host, "port": settings.metrics_port},
        )


def _gauge(
    name: str, text: str, labels: Labels, values: Mapping[Labels, float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        gauge.add_metric(key, value)
    return gauge
