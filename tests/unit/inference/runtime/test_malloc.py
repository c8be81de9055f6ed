"""Heap trimming: free memory goes back to the system."""

import ctypes

import pytest

from inference.runtime import malloc


def test_trim_heap_calls_malloc_trim(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(malloc, "_malloc_trim", calls.append)
    malloc.trim_heap()
    assert calls == [0]


def test_trim_heap_without_malloc_trim_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc, "_malloc_trim", None)
    malloc.trim_heap()


def test_malloc_trim_is_that_of_the_c_library() -> None:
    assert (malloc._malloc_trim is None) == (not hasattr(ctypes.CDLL(None), "malloc_trim"))
