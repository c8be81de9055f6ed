"""Admission control: limits on concurrent requests and on the bytes of large bodies."""

from inference.server.admission import LARGE_BYTES, AdmissionController


def test_large_bodies_share_a_limit_and_one_is_always_admitted() -> None:
    admission = AdmissionController(max_requests=4, max_large_bytes=2 * LARGE_BYTES)
    assert admission.try_acquire(9 * LARGE_BYTES) is None
    assert admission.try_acquire(2 * LARGE_BYTES) == "large_bodies"
    assert admission.try_acquire(5) is None
    admission.release(9 * LARGE_BYTES)
    assert admission.try_acquire(2 * LARGE_BYTES) is None
    assert [admission.try_acquire(1) for _ in range(3)] == [None, None, "requests"]


def test_large_bodies_fill_their_limit_exactly() -> None:
    admission = AdmissionController(max_requests=9, max_large_bytes=4 * LARGE_BYTES)
    sizes = [2 * LARGE_BYTES, 2 * LARGE_BYTES, LARGE_BYTES + 1]
    assert [admission.try_acquire(size) for size in sizes] == [None, None, "large_bodies"]


def test_refused_request_takes_no_slot() -> None:
    admission = AdmissionController(max_requests=1, max_large_bytes=0)
    assert admission.try_acquire(0) is None
    assert [admission.try_acquire(0) for _ in range(3)] == ["requests"] * 3
    admission.release(0)
    assert admission.try_acquire(0) is None


def test_body_of_the_threshold_is_not_large() -> None:
    admission = AdmissionController(max_requests=9, max_large_bytes=1)
    assert [admission.try_acquire(LARGE_BYTES) for _ in range(3)] == [None] * 3
