"""Photos: every kind is read as its digit, several digits are counted, and blank ones found."""

import functools

import numpy as np
import pytest

from inference.model_format.card import LITERT_FILE
from inference.preprocessing.digits import Pixels, PreprocessedImage
from inference.preprocessing.image_warnings import NO_DIGIT, several_digits
from inference.preprocessing.photos.reader import read_photo
from inference.runtime.network import Network
from tests.conftest import SHIPPED
from tests.corpus.photos.corpus import photos
from tests.corpus.photos.counts import BLANK, SEVERAL
from tests.corpus.photos.kinds import KINDS
from tests.corpus.photos.scenes import NO_DIGIT as NO_LABEL
from tests.corpus.photos.scenes import draw_digit
from tests.corpus.photos.strokes import Hand, draw

CHAMPION = "mnist_experiment_25__deep_cnn_16_48_96_augmented"
NUMBERED = list(enumerate(KINDS))


@functools.cache
def champion() -> Network:
    return Network((SHIPPED / CHAMPION / LITERT_FILE).read_bytes(), 10)


def label_of(pixels: Pixels) -> str:
    return str(int(champion().probabilities(pixels[np.newaxis]).argmax()))


@pytest.mark.parametrize(("number", "kind"), NUMBERED, ids=list(KINDS))
def test_photo_is_read_as_its_digit(number: int, kind: str) -> None:
    label = str("2345680947"[number % 10])
    photo = KINDS[kind](label, np.random.default_rng((7, number)), draw_digit)
    image = PreprocessedImage.from_bytes(photo)
    expected = label if kind != "split" else "457"
    assert (label_of(image.pixels), image.warnings) == (expected, ())


@pytest.mark.parametrize("kind", BLANK)
def test_photo_without_a_digit_is_warned_of(kind: str) -> None:
    for seed in range(2):
        image = PreprocessedImage.from_bytes(BLANK[kind](np.random.default_rng((7, seed))))
        assert image.warnings == (NO_DIGIT,)
        assert not image.pixels.any()


@pytest.mark.parametrize("kind", SEVERAL)
def test_photo_of_several_digits_counts_them(kind: str) -> None:
    for label, data in SEVERAL[kind](np.random.default_rng(7), draw_digit):
        image = PreprocessedImage.from_bytes(data)
        expected = (several_digits(len(label)),) if len(label) > 1 else ()
        assert image.warnings == expected
        assert label_of(image.pixels) in label


@pytest.mark.parametrize("angle", [-30, 30])
def test_read_photo_straightens_a_tilted_digit(angle: int) -> None:
    rng = np.random.default_rng(3)
    upright = draw((400, 400), "1", (200, 200), 180, Hand(wobble=0, tilt=angle), rng)
    photo = 220 - 180 * upright + rng.normal(0, 3, upright.shape)
    digit = read_photo(photo.clip(0, 255).astype(np.uint8))
    assert digit is not None
    assert digit.ink.shape[1] < 0.45 * digit.ink.shape[0]  # of 0.58 when tilted


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_photos_of_every_kind_are_read() -> None:
    """At least 95 of 100 photos are read right, and half of each kind."""
    right: dict[str, list[bool]] = {}
    for photo in photos(11, labels="1468"):
        image = PreprocessedImage.from_bytes(photo.data)
        if photo.label == NO_LABEL:
            is_right = image.warnings == (NO_DIGIT,)
        elif len(photo.label) > 1:
            is_right = image.warnings == (several_digits(len(photo.label)),)
        else:
            is_right = (label_of(image.pixels), image.warnings) == (photo.label, ())
        right.setdefault(photo.kind, []).append(is_right)
    results = [is_right for kind in right.values() for is_right in kind]
    assert sum(results) >= 0.95 * len(results), right
    assert all(sum(kind) >= 0.5 * len(kind) for kind in right.values()), right
