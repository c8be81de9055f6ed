"""Cached reads of tracking. Curves of a run are read every second, the rest every few seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Engine

from web.data.stale_cache import CachedResult, StaleCache
from web.data.tracking import accuracy_queries, history_queries, run_queries
from web.data.tracking.curve_store import Curves, CurveStore
from web.data.tracking.history_types import (
    Choices,
    Cursor,
    HistoryFilter,
    HistoryPage,
    LiveAccuracy,
    LoggedPrediction,
    ModelAnswer,
)
from web.data.tracking.types import Artifact, Lineage, Run


@dataclass(frozen=True)
class TrackingReader:
    """Cached reads of runs and of the prediction history.

    No method raises; the result has the problem. Values are shared, so callers must not modify
    them.

    Attributes:
        engine: of the database.
        live: cache of what changes while a run trains, fresh for less than a second.
        cache: cache of the rest.
        describe: turns an error of the database into markdown.
        curve_store: points that are known already.

    """

    engine: Engine
    live: StaleCache
    cache: StaleCache
    describe: Callable[[Exception], str]
    curve_store: CurveStore = field(default_factory=CurveStore)

    def run(
        self, *, name: str | None = None, run_id: str | None = None
    ) -> CachedResult[Run | None]:
        """Return a run by its name, a previous name or its run_id, see run_queries.read_run."""
        return self.live.get(
            ("tracked_run", name, run_id),
            partial(run_queries.read_run, self.engine, name=name, run_id=run_id),
            self.describe,
        )

    def curves(self, run: int) -> CachedResult[Curves]:
        """Return the curves of a run, see CurveStore.read."""
        return self.live.get(
            ("run_curves", run), partial(self.curve_store.read, self.engine, run), self.describe
        )

    def lineage(self, name: str, task: str) -> CachedResult[Lineage]:
        """Return models and lineage of an experiment, see run_queries.read_lineage."""
        return self.cache.get(
            ("lineage", name, task),
            partial(run_queries.read_lineage, self.engine, name, task),
            self.describe,
        )

    def artifacts(self, run: int) -> CachedResult[tuple[Artifact, ...]]:
        """Return the artifacts of a run, see run_queries.read_artifacts."""
        return self.live.get(
            ("artifacts", run),
            partial(run_queries.read_artifacts, self.engine, run),
            self.describe,
        )

    def history(
        self, criteria: HistoryFilter, limit: int, before: Cursor | None = None
    ) -> CachedResult[HistoryPage]:
        """Return a page of predictions, see history_queries.read_page."""
        return self.live.get(
            ("history", criteria, limit, before),
            partial(history_queries.read_page, self.engine, criteria, limit, before),
            self.describe,
        )

    def prediction(self, prediction: str) -> CachedResult[LoggedPrediction | None]:
        """Return a prediction by its id, see history_queries.read_prediction."""
        return self.live.get(
            ("prediction", prediction),
            partial(history_queries.read_prediction, self.engine, prediction),
            self.describe,
        )

    def count(self, criteria: HistoryFilter) -> CachedResult[int]:
        """Return the number of matches on all pages, see history_queries.count_matches."""
        return self.cache.get(
            ("history_count", criteria),
            partial(history_queries.count_matches, self.engine, criteria),
            self.describe,
        )

    def answers(self, prediction: str) -> CachedResult[tuple[ModelAnswer, ...]]:
        """Return all answers to an image, see history_queries.read_answers."""
        return self.live.get(
            ("answers", prediction),
            partial(history_queries.read_answers, self.engine, prediction),
            self.describe,
        )

    def accuracy(self) -> CachedResult[LiveAccuracy]:
        """Return the accuracy on labeled images, see accuracy_queries.read_accuracy."""
        return self.live.get(
            "history_accuracy",
            partial(accuracy_queries.read_accuracy, self.engine),
            self.describe,
        )

    def choices(self) -> CachedResult[Choices]:
        """Return the options of the history's filters, see history_queries.read_choices."""
        return self.cache.get(
            "history_choices", partial(history_queries.read_choices, self.engine), self.describe
        )

    def expire(self) -> None:
        """Read everything again at the next access, after a page has changed something."""
        self.live.expire()
        self.cache.expire()

    def retry(self) -> None:
        """Read again at the next access, even after a failure."""
        self.live.retry()
        self.cache.retry()
