"""Robustness results for tests of the dashboard."""

from evaluation.corruptions import CORRUPTIONS
from web.data.diagnostics.robustness import CorruptedAccuracy, Robustness


def make_result(accuracy: float, *, images_digest: str = "e") -> Robustness:
    """Return a result with this accuracy at each severity 1, and 10 points less at each further.

    The mean is 15 points less.
    """
    return Robustness(
        images=300,
        images_digest=images_digest,
        accuracy=0.99,
        mean_accuracy=accuracy - 0.15,
        scores=tuple(
            CorruptedAccuracy(
                one.name, severity, float(amount), one.unit, accuracy - 0.1 * (severity - 1)
            )
            for one in CORRUPTIONS
            for severity, amount in enumerate(one.amounts, 1)
        ),
    )
