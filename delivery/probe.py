"""Probe of a bundle: one drawn digit, and the answer of each bundled model to it."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from delivery.models import BundledModel, BundleError
from inference.model_format.card import LITERT_FILE
from inference.probe.digits import probe_digits
from inference.runtime.network import Network, UnservableModelError

PROBE_INDEX = 7  # a seven, in the first hand
DECIMALS = 6


@dataclass(frozen=True)
class Probe:
    """Canonical pixels, 28 rows of 28 bytes, and the class and confidence of each version."""

    pixels: bytes
    answers: Mapping[str, tuple[str, float]]

    def document(self) -> dict[str, Any]:
        """Return the JSON object: pixels in base64, and answers by `NAME@VERSION`."""
        return {
            "pixels": base64.b64encode(self.pixels).decode(),
            "answers": {key: list(answer) for key, answer in self.answers.items()},
        }


def read_probe(models: Iterable[BundledModel]) -> Probe:
    """Let LiteRT read the probe digit with each model. Raises BundleError."""
    pixels = probe_digits().pixels[PROBE_INDEX : PROBE_INDEX + 1]
    answers = {}
    for model in models:
        card = model.card
        try:
            network = Network(model.files[LITERT_FILE], len(card.classes), card.input, card.output)
        except UnservableModelError as error:
            raise BundleError(f"{model.key}: {error}") from error
        [probabilities] = network.probabilities(pixels)
        best = int(probabilities.argmax())
        answers[model.key] = (card.classes[best], round(float(probabilities[best]), DECIMALS))
    return Probe(pixels.tobytes(), answers)
