"""Probe report: how many probe digits a model reads as its card states, and as it could state."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NO_DIGITS = "No probe: the classes are not the ten digits"


@dataclass(frozen=True)
class BetterCard:
    """Keys of a card under which a model reads more probe digits.

    `accuracy` is 0 to 1. `input` holds the changed keys of the input, and `classes` the labels in
    output order if they change.
    """

    accuracy: float
    input: Mapping[str, Any]
    classes: tuple[str, ...] | None = None

    def card(self) -> dict[str, Any]:
        """Return the changed part of the card."""
        classes = {} if self.classes is None else {"classes": list(self.classes)}
        return ({"input": dict(self.input)} if self.input else {}) | classes

    def __str__(self) -> str:
        words = [f"input.{key}: {json.dumps(value)}" for key, value in self.input.items()]
        if self.classes is not None:
            words.append(f"classes: {json.dumps(self.classes)}")
        return ", ".join(words)


@dataclass(frozen=True)
class Reading:
    """Result of a probe, which depends only on the model and its signature.

    `accuracy` is the share of `digits` read as the card states, 0 to 1, or None without a probe.
    """

    accuracy: float | None = None
    digits: int = 0
    best: BetterCard | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Reading":
        """Return the reading in a JSON object. Raises KeyError, TypeError and ValueError."""
        best = document["best"]
        if best is not None:
            classes = best["classes"]
            best = BetterCard(
                float(best["accuracy"]),
                dict(best["input"]),
                None if classes is None else tuple(map(str, classes)),
            )
        accuracy = document["accuracy"]
        return cls(None if accuracy is None else float(accuracy), int(document["digits"]), best)

    @property
    def sentence(self) -> str:
        """Sentence for people, such as `12 % of 200 probe digits as stated`."""
        if self.accuracy is None:
            return NO_DIGITS
        stated = f"{_percent(self.accuracy)} of {self.digits} probe digits as stated"
        return (
            stated
            if self.best is None
            else f"{stated}; {_percent(self.best.accuracy)} with {self.best}"
        )


@dataclass(frozen=True)
class ProbeReport:
    """A reading, and whether it is good enough.

    `passed` says whether the accuracy reaches the setting PROBE_MIN_ACCURACY, and is None without
    a probe. `warning` is set when the model is probably served under the wrong input: a better one
    is known, or it does not pass although its card promises more.
    """

    reading: Reading
    passed: bool | None = None
    warning: bool = False

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            **asdict(self.reading),
            "sentence": self.reading.sentence,
            "passed": self.passed,
            "warning": self.warning,
        }


def _percent(accuracy: float) -> str:
    """Return a share as whole percent, rounded down: 99.5 % are not all."""
    return f"{math.floor(accuracy * 100 + 1e-6)} %"
