"""Thinning keeps a bounded number of images per second, chosen by their digests."""

import hashlib

from monitoring.checks.thinning import BURST_SECONDS, FULL, Allowance, thin

RATE = 50


def images(seconds: float, per_second: int, start: float = 0.0) -> list[tuple[str, int]]:
    return [
        (
            hashlib.sha256(b"%d" % number).hexdigest()[:32],
            int((start + number / per_second) * 1e6),
        )
        for number in range(int(seconds * per_second))
    ]


def test_slow_traffic_is_kept_whole() -> None:
    _, kept = thin(Allowance.from_list(FULL, RATE), images(30, RATE), RATE)
    assert all(kept)


def test_fast_traffic_is_thinned_to_the_rate() -> None:
    _, kept = thin(Allowance.from_list((), RATE), images(60, 1000), RATE)
    assert abs(sum(kept[30_000:]) / 30 - RATE) < 5
    assert sum(kept) <= RATE * (60 + BURST_SECONDS)


def test_versions_keep_nearly_the_same_images() -> None:
    """An image of the second version comes a moment later."""
    first = thin(Allowance.from_list((), RATE), images(60, 1000), RATE)[1]
    second = thin(Allowance.from_list((), RATE), images(60, 1000, start=0.3), RATE)[1]
    both = sum(one and other for one, other in zip(first, second, strict=True))
    assert both > 0.95 * sum(first)


def test_split_changes_nothing() -> None:
    sent = images(20, 500)
    whole, kept = thin(Allowance.from_list((), RATE), sent, RATE)
    parts: list[bool] = []
    allowance = Allowance.from_list((), RATE)
    for start in range(0, len(sent), 77):
        allowance, part = thin(
            Allowance.from_list(allowance.to_list(), RATE), sent[start : start + 77], RATE
        )
        parts += part
    assert (parts, allowance) == (kept, whole)


def test_clock_that_was_set_back_does_not_stop_the_monitor() -> None:
    future = thin(Allowance.from_list((), RATE), images(30, 1000, start=1e6), RATE)[0]
    _, kept = thin(future, images(60, 40), RATE)
    assert sum(kept[-400:]) > 200
