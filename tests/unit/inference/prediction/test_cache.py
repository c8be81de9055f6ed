"""Prediction cache: rows by network and digest, the least recently used first out."""

import numpy as np
import pytest

from inference.prediction.cache import PredictionCache


def row(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def values(cache: PredictionCache, network: int, *digests: str) -> list[float | None]:
    return [None if found is None else found[0] for found in cache.get(network, digests)]


def test_get_returns_a_row_for_each_digest() -> None:
    cache = PredictionCache(9)
    cache.put(1, [("a", row(0.25)), ("b", row(0.5))])
    assert values(cache, 1, "b", "c", "a") == [0.5, None, 0.25]


def test_networks_do_not_share_rows() -> None:
    cache = PredictionCache(9)
    cache.put(1, [("a", row(0.25))])
    assert values(cache, 2, "a") == [None]


def test_put_evicts_the_least_recently_used() -> None:
    cache = PredictionCache(2)
    cache.put(1, [("a", row(1)), ("b", row(2))])
    assert values(cache, 1, "a") == [1]
    cache.put(1, [("c", row(3))])
    assert values(cache, 1, "a", "b", "c") == [1, None, 3]


def test_put_replaces_a_row() -> None:
    cache = PredictionCache(2)
    cache.put(1, [("a", row(1))])
    cache.put(1, [("a", row(2))])
    assert values(cache, 1, "a") == [2]


@pytest.mark.parametrize("count", [2, 5])
def test_put_of_more_than_fits_keeps_the_last(count: int) -> None:
    cache = PredictionCache(2)
    cache.put(1, [(str(number), row(number)) for number in range(count)])
    kept = [number for number in range(count) if values(cache, 1, str(number)) != [None]]
    assert kept == [count - 2, count - 1]


def test_put_stores_a_copy() -> None:
    cache, batch = PredictionCache(2), np.zeros((2, 1), np.float32)
    cache.put(1, [("a", batch[0])])
    batch[0] = 7
    assert values(cache, 1, "a") == [0]
