"""Publication of a model: its card from the fields of the form, and its progress as words."""

from collections.abc import Mapping, Sequence
from typing import Any

from web.data.api_types import ModelVersion
from web.data.learning.types import PUBLISH, RunDetail

AS_STATED = "As in the file's card"
# Choices of the pixels that the model takes: keys of the card's input.
PIXELS: Mapping[str, Mapping[str, float]] = {
    AS_STATED: {},
    "0 to 255": {"scale": 1.0, "offset": 0.0},
    "0 to 1": {"scale": 1 / 255, "offset": 0.0},
    "-1 to 1": {"scale": 1 / 127.5, "offset": -1.0},
}
INK: Mapping[str, Mapping[str, bool]] = {
    AS_STATED: {},
    "White on black": {"invert": False},
    "Black on white": {"invert": True},
}
# By the phase that the step reports: words, and the share of the whole at its start.
PHASES = {
    "read": ("Reading the file", 0.05),
    "compile": ("Compiling it in the sandbox", 0.2),
    "probe": ("Reading the probe digits", 0.6),
    "install": ("Measuring it and adding it to the model directory", 0.7),
}
ZIP_SUFFIX = ".zip"


def stated_card(
    *, accuracy_percent: float | None, task: str, classes: str, pixels: str, ink: str
) -> dict[str, Any]:
    """Return the fields of a card that a form states.

    Args:
        accuracy_percent: test accuracy, 0 to 100.
        task: the task, empty if it is not stated.
        classes: labels in the order of the outputs, separated by commas, or empty.
        pixels: a key of PIXELS.
        ink: a key of INK.

    """
    card: dict[str, Any] = {}
    if accuracy_percent is not None:
        card["metrics"] = {"test_accuracy": round(accuracy_percent / 100, 6)}
    if task.strip():
        card["task"] = task.strip()
    labels = [label.strip() for label in classes.split(",") if label.strip()]
    if labels:
        card["classes"] = labels
    model_input = {**PIXELS[pixels], **INK[ink]}
    if model_input:
        card["input"] = model_input
    return card


def add_task(
    card: Mapping[str, Any], task: str | None, versions: Sequence[ModelVersion], file_name: str
) -> dict[str, Any]:
    """Return a card with the task of its experiment and the classes of the task's models.

    A zip file has a card of its own, which counts. The defaults of a card suit MNIST.

    Args:
        card: what the form states.
        task: of the existing experiment, None for a new one.
        versions: of all models.
        file_name: of the model.

    """
    own_task = card.get("task", task)
    if own_task is None or file_name.lower().endswith(ZIP_SUFFIX):
        return dict(card)
    known = next((one.classes for one in versions if one.task == own_task and one.classes), ())
    defaults = {"task": own_task, **({"classes": list(known)} if known else {})}
    return {**defaults, **card}


def better_card(detail: RunDetail) -> tuple[bool, Mapping[str, Any]]:
    """Return whether the probe refused the model, and the card that it suggests, empty if none."""
    step = detail.step(PUBLISH)
    progress: Mapping[str, Any] = {} if step is None else step.progress
    suggested = progress.get("better_card")
    is_refused = progress.get("refused") == "probe" and detail.run.state == "FAILED"
    return is_refused, suggested if isinstance(suggested, dict) else {}


def merge_cards(card: Mapping[str, Any], suggested: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card with the suggested fields. Single keys of its input are replaced."""
    merged = {**card, **suggested}
    if "input" in card and "input" in suggested:
        merged["input"] = {**card["input"], **suggested["input"]}
    return merged


def describe_phase(detail: RunDetail) -> tuple[str, float]:
    """Describe what an open run does, and return its progress, 0 to 1."""
    step = detail.step(PUBLISH)
    if step is None or step.state != "RUNNING":
        return "Waiting for a worker", 0.0
    return PHASES.get(str(step.progress.get("phase")), ("Starting", 0.0))


def describe_failure(detail: RunDetail) -> str:
    """Return the reason of a failed run, without the name of its step."""
    return (detail.run.reason or "").removeprefix(f"{PUBLISH}: ")
