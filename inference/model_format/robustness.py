"""Robustness file: robustness.json beside card.json, a model's accuracy on corrupted test images.

It is optional. The service also serves a version whose file is missing or broken.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference.model_format.atomic_file import write_atomically
from inference.model_format.safe_open import RejectedModelError, open_regular

ROBUSTNESS_FILE = "robustness.json"
MAX_BYTES = 2**16
MAX_SCORES, MAX_SEVERITY, MAX_NAME_LENGTH = 100, 4, 32
MAX_IMAGES = 2**31 - 1  # an integer of Postgres
ADVICE = "Run make robustness to write it again."


class InvalidRobustnessError(Exception):
    """A robustness.json is invalid. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Score:
    """Correct answers for images with one corruption. `amount` is in the corruption's unit."""

    corruption: str
    severity: int
    amount: float
    images: int
    correct: int


@dataclass(frozen=True)
class Robustness:
    """Robustness of one model.

    `model` is the digest of the version, and `images_digest` the sha256 (hex) of the test images
    and their classes: models are comparable where it is equal. `correct` of `images` are read
    correctly without a corruption.
    """

    model: str
    images_digest: str
    images: int
    correct: int
    scores: tuple[Score, ...]

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy of all corruptions and severities, 0 to 1."""
        return sum(score.correct / score.images for score in self.scores) / len(self.scores)

    def write(self, folder: Path) -> None:
        """Write the file into a model's folder. Raises OSError."""
        text = json.dumps(asdict(self), indent=1, allow_nan=False)
        write_atomically(folder / ROBUSTNESS_FILE, text.encode() + b"\n")

    @classmethod
    def from_document(cls, document: Any) -> "Robustness":
        """Return the robustness in a JSON object. Raises InvalidRobustnessError."""
        try:
            scores = document["scores"]
            if not isinstance(scores, Sequence) or not 0 < len(scores) <= MAX_SCORES:
                raise ValueError(f"scores must be a list of 1 to {MAX_SCORES}")
            images, correct = _counts(document)
            found = cls(
                _text(document["model"], 64),
                _text(document["images_digest"], 64),
                images,
                correct,
                tuple(map(_score, scores)),
            )
            keys = {(score.corruption, score.severity) for score in found.scores}
            if len(keys) != len(found.scores):
                raise ValueError("each corruption and severity must occur once")
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRobustnessError(
                f"{ROBUSTNESS_FILE} is not valid ({type(error).__name__}: {error}). {ADVICE}"
            ) from error
        return found


def read(folder: Path, model: str | None) -> Robustness | None:
    """Return the robustness of a folder's model, whose digest is `model`.

    Return None without a file, and for the file of another model. Raises InvalidRobustnessError.
    """
    try:
        descriptor = open_regular(folder / ROBUSTNESS_FILE, MAX_BYTES)
        with os.fdopen(descriptor, "rb") as file:
            document = json.loads(file.read(MAX_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, RejectedModelError, ValueError, RecursionError) as error:
        raise InvalidRobustnessError(
            f"{ROBUSTNESS_FILE} cannot be read: {error}. {ADVICE}"
        ) from error
    found = Robustness.from_document(document)
    return found if found.model == model else None


def _score(document: Any) -> Score:
    images, correct = _counts(document)
    severity, amount = document["severity"], document["amount"]
    if type(severity) is not int or not 1 <= severity <= MAX_SEVERITY:
        raise ValueError(f"severity must be a whole number from 1 to {MAX_SEVERITY}")
    if type(amount) not in (int, float) or not -1e9 < amount < 1e9:  # noqa: PLR2004  # not NaN
        raise ValueError("amount must be a number")
    return Score(
        _text(document["corruption"], MAX_NAME_LENGTH), severity, float(amount), images, correct
    )


def _counts(document: Mapping[str, Any]) -> tuple[int, int]:
    images, correct = document["images"], document["correct"]
    if type(images) is not int or type(correct) is not int:
        raise ValueError("images and correct must be whole numbers")
    if not 0 <= correct <= images or not 0 < images <= MAX_IMAGES:
        raise ValueError("correct must be from 0 to images, and images at least 1")
    return images, correct


def _text(value: Any, length: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= length or not value.isprintable():
        raise ValueError(f"a text must have 1 to {length} printable characters")
    return value
