"""Results: the models of a call, its images, and the predictions for them. Plain data."""

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from inference.errors import ModelFailedError, ServiceError
from inference.models.version import ModelVersion
from inference.prediction.consensus import Consensus, Labels, find_consensus
from inference.preprocessing.digits import PreprocessedImage
from inference.runtime.network import Network
from inference.runtime.outputs import Outputs

Source = TypeVar("Source")


class NotFiniteError(ModelFailedError):
    """503: the model's output for this image is not finite."""

    detail = "The model's output for this image is not finite. Its training may have diverged."


class LoadedModel(NamedTuple):
    """A model version that can predict, and its network in memory."""

    version: ModelVersion
    network: Network


@dataclass(frozen=True)
class UnavailableModel:
    """A requested model that cannot predict, and the reason."""

    name: str
    problem: ServiceError


@dataclass(frozen=True)
class ModelSelection:
    """The models that one call requests, in order."""

    models: Sequence[LoadedModel | UnavailableModel]

    @functools.cached_property
    def voters(self) -> dict[str, list[tuple[int, Labels]]]:
        """The index and class labels of each loaded model, by task."""
        voters: defaultdict[str, list[tuple[int, Labels]]] = defaultdict(list)
        for index, model in enumerate(self.models):
            if isinstance(model, LoadedModel):
                voters[model.version.task].append((index, model.version.classes))
        return voters

    @functools.cached_property
    def is_complete(self) -> bool:
        """Whether every requested model can predict."""
        return all(isinstance(model, LoadedModel) for model in self.models)

    @property
    def seconds_per_image(self) -> float:
        """The estimated seconds that all models together take for one image."""
        return sum(
            model.network.seconds_per_image
            for model in self.models
            if isinstance(model, LoadedModel)
        )


@dataclass(frozen=True)
class ImageBatch:
    """Consecutive images of a call, the first of index `start`.

    `images` has those that could be read. `problems` has an entry for every image: None, or the
    error that makes it unusable.
    """

    start: int
    images: Sequence[PreprocessedImage]
    problems: Sequence[ServiceError | None]

    @classmethod
    def read(
        cls, sources: Sequence[Source], read: Callable[[Source], PreprocessedImage], start: int = 0
    ) -> "ImageBatch":
        """Read images, the first of index `start` in its call."""
        images: list[PreprocessedImage] = []
        problems: list[ServiceError | None] = []
        for source in sources:
            try:
                images.append(read(source))
            except ServiceError as problem:
                problems.append(problem)
            else:
                problems.append(None)
        return cls(start, images, problems)

    def failed(self, problem: ServiceError) -> "ImageBatch":
        """Return the batch with this problem for every image that had none."""
        return ImageBatch(self.start, [], [own or problem for own in self.problems])


@dataclass(frozen=True)
class PredictionBatch:
    """The predictions of a call's models for a batch of images.

    `outputs` has an entry for each model of the selection: None for an unavailable model, and for
    every model where no image of the batch could be read. Predictions that are not logged have no
    ids.
    """

    selection: ModelSelection
    batch: ImageBatch
    outputs: Sequence[Outputs | None]
    is_logged: bool = True

    def consensus(self) -> dict[str, list[Consensus | None]]:
        """Return for each task the consensus of its models on each readable image.

        There is none on an image with a warning: its models agree on a label that it does not show.
        """
        images = self.batch.images
        verdicts: dict[str, list[Consensus | None]] = {
            task: find_consensus(
                [
                    (labels, outputs)
                    for index, labels in voters
                    if (outputs := self.outputs[index]) is not None
                ]
            )
            for task, voters in self.selection.voters.items()
        }
        if any(image.warnings for image in images):
            for task, found in verdicts.items():
                verdicts[task] = [
                    None if image.warnings else verdict
                    for image, verdict in zip(images, found, strict=True)
                ]
        return verdicts
