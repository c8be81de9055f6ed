"""Scoring gives each image's predictions, whatever its chunks, groups and executor are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.model_format.card import MNIST_INPUT, PROBABILITIES
from inference.runtime.network import Network
from pipeline.scale import scoring
from pipeline.scale.chunk import NO_LABEL, ChunkScores, NetworkSpec
from pipeline.scale.chunk_runner import ChunkRunner
from pipeline.scale.executor import open_executor
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel, UnusableRequestError, select_models
from pipeline.scale.scoring import score, summarize
from tests.support.serial_executor import serial_runner

SHIPPED = Path(__file__).parents[4] / "models"
NAMES = (
    "mnist_experiment_1__softmax_regression",
    "mnist_experiment_12__lenet5",
    "mnist_experiment_4__mlp_32",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScoredModel, ...]:
    compiled = tmp_path_factory.mktemp("compiled")
    return select_models(SHIPPED, compiled, NAMES, "mnist", {}, lambda: None).models


@pytest.fixture(scope="module")
def images() -> ScoredImages:
    pixels = np.random.default_rng(2).integers(0, 256, (700, 28, 28), np.uint8)
    digests = [None if number % 7 == 3 else f"{number:064x}" for number in range(700)]
    return ScoredImages(pixels, digests, [str(number % 10) for number in range(700)])


@pytest.fixture(scope="module")
def expected(models: tuple[ScoredModel, ...], images: ScoredImages) -> ChunkScores:
    """Predictions by the runtime itself."""
    tables = [
        Network(model.flatbuffer, 10, model.network.input, model.network.output).probabilities(
            images.pixels
        )
        for model in models
    ]
    unreadable = ~images.readable()
    labels = np.array([table.argmax(1) for table in tables], np.int16)
    confidences = np.array([table.max(1) for table in tables], np.float32)
    labels[:, unreadable], confidences[:, unreadable] = NO_LABEL, np.nan
    return ChunkScores(labels, confidences)


def assert_equal(scores: ChunkScores, expected: ChunkScores) -> None:
    assert scores.labels.tobytes() == expected.labels.tobytes()
    assert scores.confidences.tobytes() == expected.confidences.tobytes()


@pytest.mark.parametrize("group_bytes", [1, 200_000, 10**9])
def test_score_does_not_depend_on_the_groups(
    models: tuple[ScoredModel, ...],
    images: ScoredImages,
    expected: ChunkScores,
    group_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "GROUP_BYTES", group_bytes)
    monkeypatch.setattr(scoring, "MIN_CHUNK", 50)
    monkeypatch.setattr(scoring, "MAX_CHUNK", 50)
    progress: list[int] = []
    assert_equal(score(images, models, serial_runner(), progress.append), expected)
    assert progress == sorted(progress)
    assert progress[-1] == 600


def test_score_in_processes_equals_that_in_one(
    models: tuple[ScoredModel, ...],
    images: ScoredImages,
    expected: ChunkScores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the first task brings the models: the other process asks for them."""
    monkeypatch.setattr(scoring, "MAX_CHUNK", 60)
    monkeypatch.setattr(scoring, "MIN_CHUNK", 60)
    monkeypatch.setattr(scoring, "EQUIPPED_TASKS", 1)
    runner = ChunkRunner(lambda: open_executor("", 2))
    assert_equal(score(images, models, runner, lambda _: None), expected)


def test_score_limits_the_predictions(
    models: tuple[ScoredModel, ...], images: ScoredImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "MAX_PREDICTIONS", 2099)
    with pytest.raises(UnusableRequestError, match="700 images x 3 models"):
        score(images, models, serial_runner(), lambda _: None)


def test_summarize_counts_readable_images_with_a_label() -> None:
    model = ScoredModel(
        "m", 1, "d", ("even", "odd"), NetworkSpec("0", 2, MNIST_INPUT, PROBABILITIES), b"", 1e-5
    )
    images = ScoredImages(
        np.zeros((6, 28, 28), np.uint8),
        ["a", "b", None, "d", "e", "f"],
        ["odd", "even", "odd", None, "even", "other"],
    )
    labels = np.array([[1, 1, NO_LABEL, 1, NO_LABEL, 0]], np.int16)
    scores = ChunkScores(labels, np.zeros(labels.shape, np.float32))
    row = {"experiment_name": "m", "version": 1, "model_digest": "d"}
    assert summarize(images, [model], scores) == [
        {**row, "labeled": 4, "correct": 1, "accuracy": 0.25}
    ]
    unlabeled = replace(images, labels=[None] * 6)
    assert summarize(unlabeled, [model], scores) == [
        {**row, "labeled": 0, "correct": 0, "accuracy": None}
    ]
