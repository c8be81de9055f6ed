"""Sentences of the Monitor page: what changed, since when, and who sends it; in markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from web.data.monitoring.types import (
    DRIFT,
    INPUTS,
    LABELS,
    LEARNING,
    Alert,
    Detector,
    MonitorState,
    ReferenceRequest,
)
from web.formatting import escape_markdown, format_age, format_percent, pluralize
from web.tables.run_names import markdown_link

# Images of the first reference of a model that has none of test images
REFERENCE_IMAGES = 2000
MAX_FEATURES = 2
# Share from which one program counts as the sender
MIN_SOURCE_SHARE = 0.5
START_MONITOR = (
    "The inference service starts it unless `MONITOR=0` is set. Remove the setting, then restart"
    " with `make up` or `docker compose up -d`. If it is not set, see the log of the service."
)

Tone = Literal["good", "info", "warning", "critical", "neutral"]


@dataclass(frozen=True)
class Sentence:
    """Sentence about a task, in markdown, with its tone."""

    text: str
    tone: Tone


def describe_task(state: MonitorState, task: str, now: datetime) -> list[Sentence]:
    """Return a sentence for each open alert of a task, or one sentence without alerts."""
    name = f"**{escape_markdown(task)}:**"
    alerts = state.alerts_of(task)
    if alerts:
        return [
            Sentence(f"{name} {describe_alert(alert, now)}", _tone(alert.severity))
            for alert in alerts
        ]
    detectors = state.of_task(task)
    examined = count_images(detectors)
    learning = [one for one in detectors if one.state == LEARNING]
    if detectors and len(learning) == len(detectors):
        request = next((one for one in state.requests if one.task == task), None)
        return [Sentence(f"{name} {_describe_learning(learning, request)}", "neutral")]
    if not examined:
        return [Sentence(f"{name} no image examined yet", "neutral")]
    return [Sentence(f"{name} no change in {pluralize(examined, 'image')}", "good")]


def describe_alert(alert: Alert, now: datetime) -> str:
    """Return what an alert says, in markdown and without its task."""
    since = format_age(max(0.0, (now - (alert.onset_at or alert.opened_at)).total_seconds()))
    features = _join_features(alert)
    if alert.kind != DRIFT:
        return f"{_OTHER_KINDS.get(alert.kind, 'changed')} since {since}"
    if alert.family == LABELS:
        return f"the shares of predicted labels changed {since}{features}, {_place(alert)}"
    if INPUTS not in alert.families and "novelty" not in alert.families:
        subject = _link(alert.pinned_name)
        return f"the confidence of {subject} changed {since}{features}, {_place(alert)}"
    suffers = ""
    if alert.severity == "critical":
        families = [one for one in alert.families if one in ("confidence", "accuracy")]
        suffers = f", **and the model suffers** ({', '.join(families) or 'confidence'})"
    return (
        f"what is sent changed {since}{features}, {_place(alert)}{_describe_source(alert)}{suffers}"
    )


_OTHER_KINDS = {
    "accuracy": "the labels say that the model is less accurate than on its test images,",
    "errors": "the service answers with errors,",
    "latency": "the answers are slow,",
    "log": "the prediction log lags,",
}


def describe_requests(state: MonitorState, task: str) -> list[str]:
    """Return a sentence for each waiting request for a reference, in markdown."""
    ready = max((one.learnt for one in state.of_task(task)), default=0)
    return [
        f"What is sent becomes the new normal: {min(ready, one.images):,} of"
        f" {pluralize(one.images, 'image')} so far, asked by {escape_markdown(one.requested_by)}."
        for one in state.requests
        if one.task == task
    ]


def count_images(detectors: Sequence[Detector]) -> int:
    """Return the number of images that the detectors examined, each image once."""
    by_version: dict[str, dict[str, int]] = {}
    for one in detectors:
        if one.path != "all":
            paths = by_version.setdefault(one.pinned_name, {})
            paths[one.path] = max(paths.get(one.path, 0), one.images)
    return max((sum(paths.values()) for paths in by_version.values()), default=0)


def name_family(family: str, path: str, *, has_paths: bool) -> str:
    """Return the name of a line: inputs, or inputs (28x28) where there are larger images, too."""
    if not has_paths or path == "all":
        return family
    return f"{family} ({name_path(path)})"


def name_path(path: str) -> str:
    """Return the path of images in words."""
    return {"as_sent": "28x28", "framed": "larger images"}.get(path, path)


def _link(pinned_name: str | None) -> str:
    """Return a link of NAME@2 to the page of the run, in markdown."""
    if pinned_name is None:
        return "the model"
    return markdown_link(pinned_name.rpartition("@")[0] or pinned_name, pinned_name)


def _tone(severity: str) -> Tone:
    tones: dict[str, Tone] = {"critical": "critical", "warning": "warning"}
    return tones.get(severity, "info")


def _place(alert: Alert) -> str:
    return f"about image {alert.image_number:,}"


def _join_features(alert: Alert) -> str:
    """Return the changed features, those of the inputs first: they say what one can see."""
    ordered = sorted(alert.features, key=lambda one: one.family != INPUTS)
    names = [f"label {one.feature}" if one.family == LABELS else one.feature for one in ordered]
    shown = list(dict.fromkeys(names))[:MAX_FEATURES]
    return f" ({', '.join(escape_markdown(name) for name in shown)})" if shown else ""


def _describe_source(alert: Alert) -> str:
    if not alert.sources:
        return ""
    name, share = max(alert.sources.items(), key=lambda item: item[1])
    if share < MIN_SOURCE_SHARE:
        return f"; from {pluralize(len(alert.sources), 'program')}"
    return f"; {format_percent(share)} of it from {escape_markdown(name or 'unnamed programs')}"


def _describe_learning(detectors: Sequence[Detector], request: ReferenceRequest | None) -> str:
    ready = max(one.learnt for one in detectors)
    wanted = REFERENCE_IMAGES if request is None else request.images
    reason = "no reference yet" if request is None else "nothing is examined until then"
    missing = max(0, wanted - ready)
    return f"{reason}. {ready:,} of {wanted:,} images are there, {missing:,} are missing"
