"""Robustness of a model from the API: its accuracy on corrupted test images."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from web.data import api_parsing
from web.data.api_client import NOT_FOUND, ApiClient
from web.data.api_types import ApiProblemError


@dataclass(frozen=True)
class CorruptedAccuracy:
    """Accuracy for one corruption and severity.

    Attributes:
        corruption: its name, such as rotation.
        severity: 1 to 4.
        amount: amount of the corruption in its unit.
        unit: the unit in words, empty if unknown.
        accuracy: 0 to 1.

    """

    corruption: str
    severity: int
    amount: float
    unit: str
    accuracy: float


@dataclass(frozen=True)
class Robustness:
    """Robustness of one model version.

    Attributes:
        images: number of test images, 0 if it has not been measured.
        images_digest: digest of these images. Results are comparable where it is equal.
        accuracy: without a corruption, 0 to 1.
        mean_accuracy: mean over all corruptions and severities, 0 to 1.
        scores: by corruption, then severity. Empty if it has not been measured.

    """

    images: int = 0
    images_digest: str = ""
    accuracy: float = 0.0
    mean_accuracy: float = 0.0
    scores: tuple[CorruptedAccuracy, ...] = ()

    @property
    def by_corruption(self) -> dict[str, list[CorruptedAccuracy]]:
        """The scores of each corruption, in their order."""
        found: dict[str, list[CorruptedAccuracy]] = {}
        for score in self.scores:
            found.setdefault(score.corruption, []).append(score)
        return found


NOT_MEASURED = Robustness()


def read_robustness(api: ApiClient, name: str) -> Robustness:
    """Fetch the robustness of a version, such as NAME@2; NOT_MEASURED without one.

    Raises ApiUnreachableError without a response, and ApiProblemError for another error response or
    a response that breaks the contract.
    """
    try:
        body = api.request("GET", f"/models/{quote(name, safe='@')}/robustness")
    except ApiProblemError as problem:
        if problem.status == NOT_FOUND:
            return NOT_MEASURED
        raise
    return api_parsing.parse_document(_parse, body)


def _parse(document: Any) -> Robustness:
    return Robustness(
        images=int(document["images"]),
        images_digest=str(document["images_digest"]),
        accuracy=float(document["accuracy"]),
        mean_accuracy=float(document["mean_accuracy"]),
        scores=tuple(
            CorruptedAccuracy(
                str(row["corruption"]),
                int(row["severity"]),
                float(row["amount"]),
                str(row["unit"] or ""),
                float(row["accuracy"]),
            )
            for row in document["corruptions"]
        ),
    )
