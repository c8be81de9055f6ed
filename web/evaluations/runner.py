"""Evaluation runner: predicts labeled sets in background threads and caches the predictions."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Predictions
from web.data.api_types import (
    Answer,
    Answers,
    ApiProblemError,
    ApiUnreachableError,
    ImageResult,
    ModelVersion,
    warnings_of,
)
from web.data.diagnostics.model_input import SIDE, read_model_input
from web.evaluations.labeled_set import LabeledSet

# Small enough for a smooth progress bar and a prompt cancellation.
IMAGES_PER_REQUEST = 100
# Concurrent runs of all sessions. Further ones wait.
MAX_CONCURRENT_RUNS = 2
# Predictions of one model for 10,000 images and 10 classes take 400 kB, the model input of these
# images 8 MB. Models share the input of a set; only MNIST's test set is that large.
CACHE_CAPACITY = 64

# Stores the result of a model on a set.
Store = Callable[[ModelVersion, LabeledSet, Predictions], None]
Predict = Callable[[Sequence[bytes], Sequence[str]], list[ImageResult]]
Key = tuple[str, str]


@dataclass
class Run:
    """One evaluation. Its thread writes the fields, pages read them.

    Attributes:
        total: number of images.
        done: number of images that are predicted.
        problem: why it ended without a result, else None.
        warning: why its result is not stored, else None.
        is_started: whether a thread works on it.
        ended: set at the end.

    """

    total: int
    done: int = 0
    problem: str | None = None
    warning: str | None = None
    is_started: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    _canceled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End the run before its next request and drop its predictions."""
        self._canceled.set()

    @property
    def is_canceled(self) -> bool:
        """Whether cancel() was called."""
        return self._canceled.is_set()


class Evaluator:
    """Runs evaluations and caches predictions by model digest and set digest. Thread-safe.

    Args:
        predict: predicts images with models and returns the model input, see ApiClient.predict.
        digests: returns the current digest of each version by its pinned name, to detect a model
            that was replaced during a run.
        store: stores each result, see evaluations.stored_result.

    """

    def __init__(
        self,
        predict: Predict,
        digests: Callable[[], Mapping[str, str | None]],
        store: Store,
    ) -> None:
        self._predict = predict
        self._digests = digests
        self._store = store
        self._cache: OrderedDict[Key, Predictions] = OrderedDict()
        self._inputs: dict[str, NDArray[np.uint8]] = {}  # by digest of the set
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(
            max_workers=MAX_CONCURRENT_RUNS, thread_name_prefix="evaluator"
        )

    def cached_predictions(
        self, model: ModelVersion, labeled_set: LabeledSet
    ) -> Predictions | None:
        """Return the predictions of exactly this model for this set, None if unknown."""
        with self._lock:
            key = _key(model, labeled_set)
            if key in self._cache:
                self._cache.move_to_end(key)
            return self._cache.get(key)

    def model_inputs(self, labeled_set: LabeledSet) -> NDArray[np.uint8] | None:
        """Return the pixels that the models saw, uint8 of shape (N, 28, 28).

        An unreadable image has zeros. None without cached predictions for the set.
        """
        with self._lock:
            return self._inputs.get(labeled_set.digest)

    def start(self, models: Sequence[ModelVersion], labeled_set: LabeledSet) -> Run:
        """Start a run for the models without cached predictions."""
        run = Run(total=len(labeled_set.images))
        missing = [model for model in models if self.cached_predictions(model, labeled_set) is None]
        self._threads.submit(self._run, run, missing, labeled_set)
        return run

    def _run(self, run: Run, models: Sequence[ModelVersion], labeled_set: LabeledSet) -> None:
        try:
            run.is_started = True
            self._predict_all(run, models, labeled_set)
        except ApiUnreachableError:
            run.problem = (
                f"The inference API stopped responding after {_progress(run)}. "
                "Evaluate again once it is back."
            )
        except ApiProblemError as problem:
            run.problem = (
                f"The inference API rejected the request after {_progress(run)}: {problem}"
            )
        except Exception:
            run.problem = (
                "The evaluation failed because of an error in the dashboard. See the log of the"
                " web service."
            )
            raise
        finally:
            run.ended.set()

    def _predict_all(
        self, run: Run, models: Sequence[ModelVersion], labeled_set: LabeledSet
    ) -> None:
        # Pinned, because a bare name may mean another version by the end of the run.
        names = [model.pinned_name for model in models]
        probabilities = [
            np.full((run.total, len(model.classes)), np.nan, dtype=np.float32) for model in models
        ]
        warnings: dict[int, tuple[str, ...]] = {}
        inputs = np.zeros((run.total, SIDE, SIDE), np.uint8)
        for start in range(0, run.total if models else 0, IMAGES_PER_REQUEST):
            if run.is_canceled:
                run.problem = f"Canceled after {_progress(run)}."
                return
            batch = labeled_set.images[start : start + IMAGES_PER_REQUEST]
            for index, result in enumerate(self._predict(batch, names), start):
                if isinstance(result, ApiProblemError):
                    continue  # a problem of this image: it stays without an answer
                if isinstance(result, Answers) and result.view is not None:
                    inputs[index] = read_model_input(result.view)
                if warnings_of(result):
                    warnings[index] = warnings_of(result)
                    continue
                for model, answer, rows in zip(models, result, probabilities, strict=True):
                    _fill(rows[index], model, answer)
            run.done = start + len(batch)
        run.done = run.total
        current = self._digests()
        replaced = [
            model.pinned_name for model in models if current.get(model.pinned_name) != model.digest
        ]
        if replaced:
            run.problem = f"{', '.join(replaced)} was replaced during the run. Evaluate again."
            return
        results = [
            Predictions(model.classes, rows, warnings)
            for model, rows in zip(models, probabilities, strict=True)
        ]
        self._keep(models, labeled_set, results, inputs)
        try:
            for model, predictions in zip(models, results, strict=True):
                self._store(model, labeled_set, predictions)
        except (ApiUnreachableError, ApiProblemError) as error:
            run.warning = f"The result is shown, but not stored: {error}"

    def _keep(
        self,
        models: Sequence[ModelVersion],
        labeled_set: LabeledSet,
        results: Sequence[Predictions],
        inputs: NDArray[np.uint8],
    ) -> None:
        with self._lock:
            for model, predictions in zip(models, results, strict=True):
                self._cache[_key(model, labeled_set)] = predictions
            if models:
                self._inputs[labeled_set.digest] = inputs
            while len(self._cache) > CACHE_CAPACITY:
                self._cache.popitem(last=False)
            for digest in self._inputs.keys() - {digest for _, digest in self._cache}:
                del self._inputs[digest]


def _fill(row: NDArray[np.float32], model: ModelVersion, answer: Answer) -> None:
    """Write the probabilities of an answer into the row of its image."""
    if answer.problem is not None:
        raise answer.problem
    if answer.prediction is not None:
        by_label = answer.prediction.probabilities
        row[:] = [by_label.get(label, 0.0) for label in model.classes]


def _progress(run: Run) -> str:
    return f"{run.done:,} of {run.total:,} images"


def _key(model: ModelVersion, labeled_set: LabeledSet) -> Key:
    return model.digest or model.pinned_name, labeled_set.digest
