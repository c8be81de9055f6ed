"""Bets: functions of a place or class whose mean is 1 while images are like the reference.

A bet above 1 is evidence of a change. Each is the density of the places under one kind of change,
so a change makes some of them grow, whatever it is.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

POWERS = (0.1, 0.3, 0.6)  # heaps at one end, from steep to flat
SLOPES = (0.5, 0.95)
WIDER, NARROWER = 0.9, 0.45
PLACE_BETS = 12
TAIL_SHARES, TAIL_POWERS = (0.05, 0.2), (0.05, 0.2)
TAIL_BETS = 8
# A class becomes this much more frequent, up to MAX_SHARE, or at least MIN_SHARE of all.
FREQUENCIES = (1.6, 2.5)
MAX_SHARE, MIN_SHARE, COMMON_FREQUENCY = 0.9, 0.5, 1.6
RARE = 0.1  # a class becomes this much rarer
CLASS_BETS = 4


def place_bets(places: Values) -> Values:
    """Return the bets on N x F places in (0, 1), N x F x 12.

    Heaps at 0 and at 1, slopes either way, and places spread wider or narrower than usual.
    """
    out = np.empty((*places.shape, PLACE_BETS))
    upper = 1 - places
    at = 0
    for power in POWERS:
        out[..., at] = power * places ** (power - 1)
        out[..., at + 1] = power * upper ** (power - 1)
        at += 2
    for slope in SLOPES:
        tilt = slope * (2 * places - 1)
        out[..., at] = 1 + tilt
        out[..., at + 1] = 1 - tilt
        at += 2
    bowl = 12 * (places - 0.5) ** 2 - 1
    out[..., at] = 1 + WIDER * bowl
    out[..., at + 1] = 1 - NARROWER * bowl
    return out


def tail_bets(places: Values) -> Values:
    """Return the bets on a few strange images among ordinary ones, N x F x 8.

    A share of the places is heaped at one end, and the others are uniform.
    """
    out = np.empty((*places.shape, TAIL_BETS))
    at = 0
    for share in TAIL_SHARES:
        for power in TAIL_POWERS:
            for place in (places, 1 - places):
                out[..., at] = 1 - share + share * power * place ** (power - 1)
                at += 1
    return out


def class_bets(classes: NDArray[np.int64], shares: Values) -> Values:
    """Return the bets on N predicted classes, N x K x 4. `shares` has the usual K shares."""
    out = np.empty((len(classes), len(shares), CLASS_BETS))
    is_class = classes[:, None] == np.arange(len(shares))
    for at, share in enumerate(_changed_shares(shares)):
        out[..., at] = np.where(is_class, share / shares, (1 - share) / (1 - shares))
    return out


def _changed_shares(shares: Values) -> list[Values]:
    frequent = [np.minimum(MAX_SHARE, times * shares) for times in FREQUENCIES]
    common = np.maximum(MIN_SHARE, np.minimum(MAX_SHARE, COMMON_FREQUENCY * shares))
    return [*frequent, common, RARE * shares]
