"""Turns: the requests of one turn of the event loop for the same model, answered as one batch."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from inference.errors import ServiceError
from inference.prediction.results import LoadedModel
from inference.prediction.scheduler import INLINE_SECONDS
from inference.runtime.network import Network

logger = logging.getLogger(__name__)


class Waiting(Protocol):
    """A request in a batch."""

    @property
    def respond(self) -> Callable[[Any], None]:
        """Takes the answer, or None where there is none."""


Request = TypeVar("Request", bound=Waiting)


class Turns(Generic[Request]):
    """Batches of one turn. For the thread of one event loop."""

    def __init__(
        self,
        submit: Callable[..., Future[Any]],
        answers: Callable[[LoadedModel, Sequence[Request]], Sequence[Any]],
    ) -> None:
        """Answer batches by `answers`, one answer for each request, or None.

        A long batch runs in a thread, by `submit`.
        """
        self._submit = submit
        self._answers = answers
        self._waiting: dict[Network, list[Request]] = {}

    def add(self, model: LoadedModel, request: Request) -> None:
        """Add a request. `request.respond` is called in a later turn."""
        batch = self._waiting.get(model.network)
        if batch is None:
            self._waiting[model.network] = [request]
            asyncio.get_running_loop().call_soon(self._run, model)
        else:
            batch.append(request)

    def _run(self, model: LoadedModel) -> None:
        batch = self._waiting.pop(model.network)
        if model.network.seconds_per_image * len(batch) <= INLINE_SECONDS:
            _respond_to_all(batch, self._try_answers(model, batch))
            return
        loop = asyncio.get_running_loop()

        def finish(future: Future[Sequence[Any]]) -> None:
            answers = [None] * len(batch) if future.cancelled() else future.result()
            loop.call_soon_threadsafe(_respond_to_all, batch, answers)

        self._submit(self._try_answers, model, batch).add_done_callback(finish)

    def _try_answers(self, model: LoadedModel, batch: Sequence[Request]) -> Sequence[Any]:
        """Return the answers to a batch, None for all if it fails. Raises nothing."""
        try:
            return self._answers(model, batch)
        except ServiceError:
            return [None] * len(batch)
        except Exception:  # the application meets the same error and reports it
            logger.exception("A batch failed.")
            return [None] * len(batch)


def _respond_to_all(batch: Sequence[Request], answers: Sequence[Any]) -> None:
    for request, answer in zip(batch, answers, strict=True):
        request.respond(answer)
