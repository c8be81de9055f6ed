"""Runs evaluations in the background, a few at a time, and keeps what models said by what they are
and what they were shown.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from evaluation.metrics import Predictions
from web.data.api_client import ApiProblemError, ApiUnreachableError, Outcome, Version
from web.evaluation.labeled_sets import LabeledSet

# Images of one call: short enough that progress moves and a cancellation is soon heard.
IMAGES_PER_CALL = 100
# Runs of all sessions together at one time; others wait.
RUNS_AT_ONCE = 2
# Of 10,000 images and 10 labels each is 400 kB.
KEPT = 64

Predict = Callable[[Sequence[bytes], Sequence[str]], list[Outcome]]
Key = tuple[str, str]


@dataclass
class Run:
    """One evaluation under way or ended. Its fields are written by its thread and read by pages.

    Attributes:
        total: how many images each model is asked about; done: how many were.
        problem: why it ended without a result, None if it did not.
        ended: whether anything still happens.

    """

    total: int
    done: int = 0
    problem: str | None = None
    is_started: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End it at the next call; what it learnt so far is forgotten."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._cancelled.is_set()


class Evaluator:
    """Safe to share between threads.

    Args:
        predict: asks models about images, see client.ApiClient.predict.
        digests: the digest of each version by its pinned name as it is now, to see whether one was
        replaced during a run.

    """

    def __init__(self, predict: Predict, digests: Callable[[], Mapping[str, str | None]]) -> None:
        self._predict = predict
        self._digests = digests
        self._kept: OrderedDict[Key, Predictions] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=RUNS_AT_ONCE, thread_name_prefix="evaluator")

    def verdict(self, model: Version, labelled: LabeledSet) -> Predictions | None:
        """Return what exactly this model said of exactly these images, None if it was not asked or
        that was long ago.
        """
        with self._lock:
            key = _key(model, labelled)
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def start(self, models: Sequence[Version], labelled: LabeledSet) -> Run:
        """Ask those of the models that were not asked about this set."""
        run = Run(total=len(labelled.images))
        missing = [model for model in models if self.verdict(model, labelled) is None]
        self._threads.submit(self._run, run, missing, labelled)
        return run

    def _run(self, run: Run, models: Sequence[Version], labelled: LabeledSet) -> None:
        try:
            run.is_started = True
            self._ask(run, models, labelled)
        except ApiUnreachableError:
            run.problem = (
                f"The inference API stopped answering after {run.done:,} of {run.total:,} images. "
                "Evaluate again once it is back."
            )
        except ApiProblemError as problem:
            run.problem = (
                f"The inference API refused after {run.done:,} of {run.total:,} images: {problem}"
            )
        except Exception:
            run.problem = "An error in the dashboard ended the evaluation; the log of the web service has the details."
            raise
        finally:
            run.ended.set()

    def _ask(self, run: Run, models: Sequence[Version], labelled: LabeledSet) -> None:
        names = [
            model.pinned for model in models
        ]  # the versions that were chosen, whichever answers to the bare name meanwhile
        shares = [
            np.full((run.total, len(model.classes)), np.nan, dtype=np.float32) for model in models
        ]
        for start in range(0, run.total if models else 0, IMAGES_PER_CALL):
            if run.is_cancelled:
                run.problem = f"Cancelled after {run.done:,} of {run.total:,} images."
                return
            part = labelled.images[start : start + IMAGES_PER_CALL]
            for place, outcome in enumerate(self._predict(part, names), start):
                if isinstance(outcome, ApiProblemError):
                    continue  # of this image: it stays without an answer
                for model, answer, rows in zip(models, outcome, shares, strict=True):
                    if answer.problem is not None:
                        raise answer.problem
                    if answer.prediction is not None:
                        given = answer.prediction.probabilities
                        rows[place] = [given.get(label, 0.0) for label in model.classes]
            run.done = start + len(part)
        run.done = run.total
        now = self._digests()
        replaced = [model.pinned for model in models if now.get(model.pinned) != model.digest]
        if replaced:
            run.problem = f"The files of {', '.join(replaced)} are others now. Evaluate again."
            return
        with self._lock:
            for model, rows in zip(models, shares, strict=True):
                self._kept[_key(model, labelled)] = Predictions(model.classes, rows)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _key(model: Version, labelled: LabeledSet) -> Key:
    return model.digest or model.pinned, labelled.digest
