"""Corpus of photos: every kind of photo with every digit, several digits and none."""

from collections.abc import Iterator

import numpy as np

from tests.corpus.photos.counts import BLANK, SEVERAL
from tests.corpus.photos.kinds import KINDS
from tests.corpus.photos.scenes import NO_DIGIT, DrawDigit, Photo, draw_digit


def photos(seed: int, digit: DrawDigit = draw_digit, labels: str = "0123456789") -> Iterator[Photo]:
    """Yield the photos of a seed, one for every kind and label."""
    for number, (kind, make) in enumerate(KINDS.items()):
        rng = np.random.default_rng((seed, number))
        for label in labels:
            yield Photo(kind, label, make(label, rng, digit))
    for number, (kind, make_several) in enumerate(SEVERAL.items()):
        for label, data in make_several(np.random.default_rng((seed, 1000 + number)), digit):
            yield Photo(kind, label, data)
    for number, (kind, make_blank) in enumerate(BLANK.items()):
        yield Photo(kind, NO_DIGIT, make_blank(np.random.default_rng((seed, 2000 + number))))
