"""Robustness results for tests."""

from evaluation.corruptions import CORRUPTIONS
from inference.model_format.robustness import Robustness, Score


def make_robustness(model: str, *, correct: int = 200, images: int = 300) -> Robustness:
    """Return the result of a model that reads as many images of each severity 1, and fewer later.

    Severity s has `correct` minus 10 (s - 1).
    """
    return Robustness(
        model=model,
        images_digest="e" * 64,
        images=images,
        correct=correct,
        scores=tuple(
            Score(corruption.name, severity, float(amount), images, correct - 10 * (severity - 1))
            for corruption in CORRUPTIONS
            for severity, amount in enumerate(corruption.amounts, 1)
        ),
    )
