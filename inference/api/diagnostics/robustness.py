"""GET /models/{name}/robustness: accuracy on corrupted images, from the model's directory."""

from pathlib import Path

from evaluation.corruptions import CORRUPTIONS
from inference.errors import Document, ServiceError
from inference.model_format import layout, robustness
from inference.model_format.robustness import InvalidRobustnessError, Robustness, Score
from inference.models.version import ModelVersion
from inference.prediction.resolver import ModelResolver

UNITS = {corruption.name: corruption.unit for corruption in CORRUPTIONS}


class UnknownRobustnessError(ServiceError):
    """404: the model's robustness has not been measured."""

    status = 404
    kind = "unknown-robustness"
    title = "Unknown robustness"
    detail = (
        "The robustness of this version has not been measured. "
        "Run make robustness where its model directory and MNIST are."
    )


class RobustnessApi:
    """The operation of the resource. Reads the file at each request, and no database."""

    def __init__(self, models_dir: Path, resolver: ModelResolver) -> None:
        self._models_dir = models_dir
        self._resolver = resolver

    def get_robustness(self, experiment_name: str) -> Document:
        """Return the robustness of a name, version or alias.

        Raises ServiceError: 404 for an unknown model, and for one without a result.
        """
        version = self._resolver.find(experiment_name)
        found = self._read(version)
        if found is None:
            raise UnknownRobustnessError
        return {
            "experiment_name": version.name,
            "version": version.version,
            "model_digest": version.digest,
            "images_digest": found.images_digest,
            "images": found.images,
            "correct": found.correct,
            "accuracy": found.correct / found.images,
            "mean_accuracy": found.mean_accuracy,
            "corruptions": [_describe(score) for score in found.scores],
        }

    def _read(self, version: ModelVersion) -> Robustness | None:
        files = layout.find_versions(self._models_dir, version.name)[0].get(version.version)
        if files is None or files.is_loose:
            return None
        try:
            return robustness.read(files.path, version.digest)
        except InvalidRobustnessError as error:
            raise UnknownRobustnessError(str(error)) from error


def _describe(score: Score) -> Document:
    return {
        "corruption": score.corruption,
        "severity": score.severity,
        "amount": score.amount,
        "unit": UNITS.get(score.corruption),
        "images": score.images,
        "correct": score.correct,
        "accuracy": score.correct / score.images,
    }
