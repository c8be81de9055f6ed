"""Turns: the requests of a turn are one batch for each model, and each gets an answer."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from inference.errors import ModelFailedError
from inference.prediction.results import LoadedModel
from inference.prediction.turns import Turns
from tests.support.fake_models import FakeNetwork, loaded


class Number(NamedTuple):
    """A request for the double of a number."""

    value: int
    respond: Callable[[Any], None]


class Setup:
    """Turns that double numbers, or raise an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.batches: list[int] = []
        self.answers: list[Any] = []
        self.pool = ThreadPoolExecutor(1)
        self.turns = Turns[Number](self.pool.submit, self.double)

    def double(self, _model: LoadedModel, batch: Sequence[Number]) -> list[int]:
        self.batches.append(len(batch))
        if self.error is not None:
            raise self.error
        return [2 * number.value for number in batch]

    async def run(self, *models: LoadedModel) -> None:
        """Add two numbers for each model, and wait for all answers."""
        for model in models:
            for value in (1, 2):
                self.turns.add(model, Number(value, self.answers.append))
        async with asyncio.timeout(10):
            while len(self.answers) < 2 * len(models):
                await asyncio.sleep(0)
        self.pool.shutdown()


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_requests_of_a_turn_are_one_batch_for_each_model(seconds: float) -> None:
    setup = Setup()
    models = [
        loaded(name, FakeNetwork(serial=serial, seconds_per_image=seconds))
        for serial, name in enumerate("ab")
    ]
    asyncio.run(setup.run(*models))
    assert setup.batches == [2, 2]
    assert sorted(setup.answers) == [2, 2, 4, 4]


@pytest.mark.parametrize("error", [ModelFailedError(), RuntimeError("broken")])
def test_batch_that_fails_has_no_answers(error: Exception) -> None:
    setup = Setup(error)
    asyncio.run(setup.run(loaded()))
    assert setup.answers == [None, None]


def test_canceled_work_has_no_answers() -> None:
    setup = Setup()

    def cancel(*_arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future

    setup.turns = Turns[Number](cancel, setup.double)
    asyncio.run(setup.run(loaded("a", FakeNetwork(seconds_per_image=1.0))))
    assert setup.answers == [None, None]
