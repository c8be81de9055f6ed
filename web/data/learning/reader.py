"""Cached reads of the learning loop. Runs are read every second, data every few seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
from sqlalchemy import Engine

from web.data.learning import data_queries, run_queries
from web.data.learning.data_types import LabelQueue, Schedule, StoredEvaluation
from web.data.learning.types import Evidence, RunDetail, RunList
from web.data.stale_cache import CachedResult, StaleCache


@dataclass(frozen=True)
class LearningReader:
    """Cached reads of runs and data.

    No method raises; the result has the problem. Values are shared, so callers must not modify
    them.

    Attributes:
        engine: of the database.
        live: cache of what changes while a run is open, fresh for less than a second.
        cache: cache of the rest.
        describe: turns an error of the database into markdown.

    """

    engine: Engine
    live: StaleCache
    cache: StaleCache
    describe: Callable[[Exception], str]

    def runs(self, limit: int) -> CachedResult[RunList]:
        """Return the newest runs, see run_queries.read_runs."""
        return self.live.get(
            ("runs", limit), partial(run_queries.read_runs, self.engine, limit), self.describe
        )

    def run(self, run: int) -> CachedResult[RunDetail | None]:
        """Return one run in detail, see run_queries.read_run."""
        return self.live.get(
            ("run", run), partial(run_queries.read_run, self.engine, run), self.describe
        )

    def evidence(self, name: str, version: int) -> CachedResult[Evidence | None]:
        """Return the last comparison of a version, see run_queries.read_evidence."""
        return self.cache.get(
            ("evidence", name, version),
            partial(run_queries.read_evidence, self.engine, name, version),
            self.describe,
        )

    def runs_of_moves(self) -> CachedResult[dict[int, int]]:
        """Return the run of each move of an alias, see run_queries.read_runs_of_moves."""
        return self.cache.get(
            "runs_of_moves", partial(run_queries.read_runs_of_moves, self.engine), self.describe
        )

    def datasets(self) -> CachedResult[pd.DataFrame]:
        """Return the newest datasets, see data_queries.read_datasets."""
        return self.cache.get(
            "datasets", partial(data_queries.read_datasets, self.engine), self.describe
        )

    def dataset_counts(self, dataset: int) -> CachedResult[pd.DataFrame]:
        """Return the added images of a dataset, see data_queries.read_dataset_counts."""
        return self.cache.get(
            ("dataset_counts", dataset),
            partial(data_queries.read_dataset_counts, self.engine, dataset),
            self.describe,
        )

    def uploads(self) -> CachedResult[pd.DataFrame]:
        """Return the newest uploads, see data_queries.read_uploads."""
        return self.cache.get(
            "uploads", partial(data_queries.read_uploads, self.engine), self.describe
        )

    def label_queue(self, task: str) -> CachedResult[LabelQueue]:
        """Return the open label requests, see data_queries.read_label_queue."""
        return self.live.get(
            ("label_queue", task),
            partial(data_queries.read_label_queue, self.engine, task),
            self.describe,
        )

    def waiting(self, task: str) -> CachedResult[int]:
        """Return the number of labels that wait for a run, see data_queries.read_waiting."""
        return self.live.get(
            ("waiting", task), partial(data_queries.read_waiting, self.engine, task), self.describe
        )

    def schedules(self) -> CachedResult[tuple[Schedule, ...]]:
        """Return the schedules, see data_queries.read_schedules."""
        return self.cache.get(
            "schedules", partial(data_queries.read_schedules, self.engine), self.describe
        )

    def evaluation(
        self, model_digest: str, set_digest: str
    ) -> CachedResult[StoredEvaluation | None]:
        """Return the last stored accuracy of a model, see data_queries.read_evaluation."""
        return self.cache.get(
            ("evaluation", model_digest, set_digest),
            partial(data_queries.read_evaluation, self.engine, model_digest, set_digest),
            self.describe,
        )

    def expire(self) -> None:
        """Read everything again at the next access, after a page has changed something."""
        self.live.expire()
        self.cache.expire()

    def retry(self) -> None:
        """Read again at the next access, even after a failure."""
        self.live.retry()
        self.cache.retry()
