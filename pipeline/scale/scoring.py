"""Bulk scoring: predictions of several models for many images, by the processes of an executor.

The result does not depend on the number of processes, on their order, or on processes that die.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.scale.chunk import NO_LABEL, ChunkScores, MissingModels, Pixels, score_chunk
from pipeline.scale.chunk_runner import ChunkRunner, Task
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel, UnusableRequestError

MAX_PREDICTIONS = 50_000_000  # of a result, 6 bytes each in memory
CHUNK_SECONDS = 0.5  # of one process; a lost worker takes a few chunks along
MIN_CHUNK, MAX_CHUNK = 128, 3072  # images; 2.4 MB. Half as many cost Dask a tenth more CPU time.
# Of the models of a task. Dask warns of a task of more than 10 MB.
GROUP_BYTES = 6 * 2**20
# The first tasks of a group bring the flatbuffers along. Other processes ask for them.
EQUIPPED_TASKS = 4


def score(
    images: ScoredImages,
    models: Sequence[ScoredModel],
    runner: ChunkRunner,
    on_progress: Callable[[int], None],
) -> ChunkScores:
    """Return the predictions of models for images, a column for each image.

    Unreadable images have NO_LABEL and a confidence of NaN. `on_progress` gets the number of
    images that all models have seen, or the equivalent share. Raises UnusableRequestError for too
    many predictions, and ScaleUnavailableError.
    """
    if len(images.digests) * len(models) > MAX_PREDICTIONS:
        raise UnusableRequestError(
            f"{len(images.digests):,} images x {len(models)} models are more than "
            f"{MAX_PREDICTIONS:,} predictions. Score fewer models at once."
        )
    readable = np.flatnonzero(images.readable())
    pixels = images.pixels if len(readable) == len(images.pixels) else images.pixels[readable]
    labels = np.full((len(models), len(images.pixels)), NO_LABEL, np.int16)
    confidences = np.full(labels.shape, np.nan, np.float32)
    done = 0
    for task, result in runner.run(_tasks(pixels, models), _equip):
        part, start = task.key.models, task.key.start
        columns = readable[start : start + result.labels.shape[1]]
        rows = np.arange(part.start, part.stop)[:, None]
        labels[rows, columns] = result.labels
        confidences[rows, columns] = result.confidences
        done += result.labels.size
        on_progress(done // len(models))
    return ChunkScores(labels, confidences)


def summarize(
    images: ScoredImages, models: Sequence[ScoredModel], scores: ChunkScores
) -> list[dict[str, Any]]:
    """Return name, version, digest and, where labels are known, the accuracy of each model.

    `labeled` is the number of readable images with a label, and `accuracy` (0 to 1) the share of
    those that the model predicts. It is None without labels.
    """
    known = [
        (index, label)
        for index, label in enumerate(images.labels)
        if label is not None and images.digests[index] is not None
    ]
    indexes = np.array([index for index, _ in known], np.int64)
    rows = []
    for model, predicted in zip(models, scores.labels, strict=True):
        numbers = {label: number for number, label in enumerate(model.labels)}
        # A label that is not a class of the model is never predicted.
        expected = np.array([numbers.get(label, NO_LABEL - 1) for _, label in known], np.int16)
        correct = int((predicted[indexes] == expected).sum())
        rows.append(
            {
                "experiment_name": model.experiment_name,
                "version": model.version,
                "model_digest": model.digest,
                "labeled": len(known),
                "correct": correct,
                "accuracy": correct / len(known) if known else None,
            }
        )
    return rows


class _Key:
    """Models and first image of a task."""

    def __init__(self, models: range, start: int, flatbuffers: Mapping[str, bytes]) -> None:
        self.models, self.start, self.flatbuffers = models, start, flatbuffers


def _tasks(pixels: Pixels, models: Sequence[ScoredModel]) -> Iterator[Task]:
    """Yield a task for each group of models and chunk of images, group by group.

    A process needs the networks of one group at a time.
    """
    for part in _groups(models):
        group = models[part.start : part.stop]
        specs = [model.network for model in group]
        flatbuffers = {model.network.digest: model.flatbuffer for model in group}
        seconds = sum(model.seconds_per_image for model in group)
        size = min(max(int(CHUNK_SECONDS / seconds), MIN_CHUNK), MAX_CHUNK)
        for number, start in enumerate(range(0, len(pixels), size)):
            brought = flatbuffers if number < EQUIPPED_TASKS else {}
            chunk = pixels[start : start + size]
            yield Task(_Key(part, start, flatbuffers), score_chunk, (chunk, specs, brought))


def _groups(models: Sequence[ScoredModel]) -> Iterator[range]:
    """Yield consecutive models whose flatbuffers have at most GROUP_BYTES, or single ones."""
    start = size = 0
    for index, model in enumerate(models):
        if index > start and size + len(model.flatbuffer) > GROUP_BYTES:
            yield range(start, index)
            start, size = index, 0
        size += len(model.flatbuffer)
    yield range(start, len(models))


def _equip(task: Task, result: ChunkScores | MissingModels) -> Task | None:
    """Return the task with the flatbuffers that its process lacks, None for a final result."""
    if isinstance(result, ChunkScores):
        return None
    pixels, specs, _ = task.arguments
    missing = {spec.digest for spec in result.specs}
    brought = {name: data for name, data in task.key.flatbuffers.items() if name in missing}
    return Task(task.key, score_chunk, (pixels, specs, brought))
