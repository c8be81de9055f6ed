"""Chunks give the service's predictions, and ask for models that their process does not have."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from inference.model_format.card import Card
from inference.runtime.network import Network
from pipeline.scale import chunk
from pipeline.scale.chunk import (
    BLOCK,
    NO_LABEL,
    ChunkScores,
    MissingModels,
    NetworkCache,
    NetworkSpec,
    read_chunk,
    score_chunk,
    score_images,
)
from tests.support.fake_models import FakeNetwork

MODELS = Path(__file__).parents[4] / "models"
SOFTMAX = MODELS / "mnist_experiment_1__softmax_regression"
LENET = MODELS / "mnist_experiment_12__lenet5"


def spec_of(directory: Path) -> tuple[NetworkSpec, bytes]:
    flatbuffer = (directory / "model.tflite").read_bytes()
    card = Card.read(directory / "card.json")
    digest = hashlib.sha256(flatbuffer).hexdigest()
    return NetworkSpec(digest, len(card.classes), card.input, card.output), flatbuffer


def network_of(directory: Path) -> Network:
    spec, flatbuffer = spec_of(directory)
    return Network(flatbuffer, spec.classes, spec.input, spec.output)


def noise(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28), np.uint8)


def test_score_images_returns_the_most_probable_class() -> None:
    networks = [network_of(SOFTMAX), network_of(LENET)]
    images = noise(BLOCK + 7)

    scores = score_images(images, networks)

    for row, network in enumerate(networks):
        probabilities = network.probabilities(images)
        assert (scores.labels[row] == probabilities.argmax(1)).all()
        assert (scores.confidences[row] == probabilities.max(1)).all()


def test_score_images_marks_outputs_that_are_not_finite() -> None:
    fake = FakeNetwork((float("nan"), 0.5))
    scores = score_images(noise(3), [fake, FakeNetwork()])  # type: ignore[list-item]
    assert scores.labels.tolist() == [[NO_LABEL] * 3, [1] * 3]
    assert np.isnan(scores.confidences[0]).all()


def test_score_chunk_asks_for_missing_models_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "_cache", NetworkCache())  # another test may have used its own
    spec, flatbuffer = spec_of(SOFTMAX)
    other, _ = spec_of(LENET)
    images = noise(5)

    missing = score_chunk(images, [spec, other], {spec.digest: flatbuffer})
    found = score_chunk(images, [spec], {})

    assert missing == MissingModels((other,))
    assert isinstance(found, ChunkScores)
    assert found.labels.shape == (1, 5)


def test_score_chunk_rejects_another_content() -> None:
    spec, flatbuffer = spec_of(MODELS / "mnist_experiment_4__mlp_32")
    with pytest.raises(ValueError, match="not that of"):
        score_chunk(noise(1), [spec], {spec.digest: flatbuffer + b"x"})


def test_cache_drops_the_least_recently_used_networks() -> None:
    softmax, lenet = spec_of(SOFTMAX), spec_of(LENET)
    cache = NetworkCache(limit_bytes=1)
    cache.add(*softmax)
    cache.add(*lenet)

    assert len(cache.find([softmax[0], lenet[0]])) == 2  # type: ignore[arg-type]
    assert len(cache.find([lenet[0]])) == 1  # type: ignore[arg-type]
    assert cache.find([softmax[0]]) == MissingModels((softmax[0],))


def test_read_chunk_explains_unreadable_images(digits: dict[str, bytes]) -> None:
    good, bad = read_chunk([digits["7"], b"text"])
    assert good.pixels is not None
    assert good.digest == hashlib.sha256(good.pixels).hexdigest()
    assert (bad.pixels, bad.digest) == (None, None)
    assert "not a supported image" in str(bad.error)
