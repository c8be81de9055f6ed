"""Bundling: which requests wait, and that they are released together."""

import asyncio

import pytest

from inference.api.tracking import bundling
from inference.api.tracking.bundling import Bundling, can_wait

PATH = "/api/v1.0/experiments/lenet/points"


@pytest.mark.parametrize(
    ("method", "path", "length", "expected"),
    [
        ("POST", PATH, b"200", True),
        ("POST", PATH, b"199", False),
        ("POST", PATH, None, False),
        ("POST", PATH, b"many", False),
        ("GET", PATH, b"200", False),
        ("POST", "/api/v1.0/experiments", b"200", False),
        ("POST", "/api/2.0/mlflow/runs/log-batch", b"200", False),
    ],
)
def test_only_several_points_can_wait(
    method: str, path: str, length: bytes | None, *, expected: bool
) -> None:
    assert can_wait(method, path, length) is expected


async def released(requests: Bundling, count: int) -> list[float]:
    """Return the times at which requests are released that arrive at once."""
    loop = asyncio.get_running_loop()

    async def send() -> float:
        await requests.wait()
        return loop.time()

    return await asyncio.gather(*(send() for _ in range(count)))


def test_requests_at_once_are_released_together() -> None:
    """The first one does not wait, the others are released in one turn of the loop."""

    async def exercise() -> None:
        requests, loop = Bundling(), asyncio.get_running_loop()
        started = loop.time()
        first, *others = await released(requests, 5)
        boundary = (started // bundling.PERIOD_SECONDS + 1) * bundling.PERIOD_SECONDS
        assert first <= min(others)
        assert min(others) >= boundary - 0.01
        assert requests._release is None

    asyncio.run(exercise())


def test_rare_request_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a period without end, only a request that does not wait returns."""
    monkeypatch.setattr(bundling, "PERIOD_SECONDS", 1e6)
    monkeypatch.setattr(bundling, "RARE_SECONDS", -1.0)

    async def exercise() -> None:
        await asyncio.wait_for(released(Bundling(), 3), 30)

    asyncio.run(exercise())


def test_request_that_is_cancelled_leaves_the_others() -> None:
    async def exercise() -> None:
        requests = Bundling()
        await requests.wait()
        leaving, staying = (asyncio.create_task(requests.wait()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait_for(staying, 30)
        assert leaving.cancelled()

    asyncio.run(exercise())
