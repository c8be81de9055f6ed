"""Replicas: versions that differ, and the words for them."""

from web.data.monitoring.replicas import Served

SERVED = Served(4, {("a", 7, "new"): 3, ("a", 7, "old"): 1, ("b", 1, "x"): 4, ("c", 1, None): 0})


def test_version_that_some_replicas_serve_differs() -> None:
    assert SERVED.differing == {("a", 7, "new"): 3, ("a", 7, "old"): 1}


def test_content_of_a_version_is_counted_by_its_digest() -> None:
    assert SERVED.describe("a", 7, "new") == "3 of 4 replicas"
    assert SERVED.describe("a", 7, "old") == "1 of 4 replicas"
    assert SERVED.describe("d", 1, "x") == "0 of 4 replicas"


def test_single_replica_is_not_mentioned() -> None:
    assert Served(1, {("a", 1, "x"): 1}).describe("a", 1, "x") is None
    assert Served(1, {("a", 1, "x"): 1}).differing == {}
