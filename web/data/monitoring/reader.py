"""Cached reads of the monitoring. Its state is read every second, the rest every few seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
from sqlalchemy import Engine

from web.data.monitoring import state_queries, traffic_queries
from web.data.monitoring.types import Alert, Examples, MonitorState, RecentImages, Reference
from web.data.stale_cache import CachedResult, StaleCache


@dataclass(frozen=True)
class MonitoringReader:
    """Cached reads of the monitor.

    No method raises; the result has the problem. Values are shared, so callers must not modify
    them.

    Attributes:
        engine: of the database.
        live: cache of the state, fresh for less than a second.
        cache: cache of the rest.
        describe: turns an error of the database into markdown.

    """

    engine: Engine
    live: StaleCache
    cache: StaleCache
    describe: Callable[[Exception], str]

    def state(self) -> CachedResult[MonitorState]:
        """Return the monitor's state, see state_queries.read_state."""
        return self.live.get(
            "monitor", partial(state_queries.read_state, self.engine), self.describe
        )

    def alerts(self, task: str) -> CachedResult[tuple[Alert, ...]]:
        """Return the alerts of a task, see state_queries.read_alerts."""
        return self.live.get(
            ("alerts", task), partial(state_queries.read_alerts, self.engine, task), self.describe
        )

    def examples(self, alert: int) -> CachedResult[Examples]:
        """Return images of an alert, see state_queries.read_examples."""
        return self.cache.get(
            ("examples", alert),
            partial(state_queries.read_examples, self.engine, alert),
            self.describe,
        )

    def evidence(self, task: str, days: int) -> CachedResult[pd.DataFrame]:
        """Return the evidence of a task's detectors, see state_queries.read_evidence."""
        return self.live.get(
            ("evidence_lines", task, days),
            partial(state_queries.read_evidence, self.engine, task, days),
            self.describe,
        )

    def references(self, name: str, version: int) -> CachedResult[tuple[Reference, ...]]:
        """Return the references of a version, see traffic_queries.read_references."""
        return self.cache.get(
            ("references", name, version),
            partial(traffic_queries.read_references, self.engine, name, version),
            self.describe,
        )

    def recent(self, name: str, version: int, path: str) -> CachedResult[RecentImages]:
        """Return the newest images of a version, see traffic_queries.read_recent."""
        return self.cache.get(
            ("recent", name, version, path),
            partial(traffic_queries.read_recent, self.engine, name, version, path),
            self.describe,
        )

    def accuracy(self, task: str, days: int) -> CachedResult[tuple[pd.DataFrame, pd.DataFrame]]:
        """Return live and test accuracy, see traffic_queries.read_accuracy."""
        return self.cache.get(
            ("accuracy", task, days),
            partial(traffic_queries.read_accuracy, self.engine, task, days),
            self.describe,
        )

    def latency(self, task: str, days: int) -> CachedResult[tuple[pd.DataFrame, pd.DataFrame]]:
        """Return latency and traffic, see traffic_queries.read_latency."""
        return self.cache.get(
            ("latency", task, days),
            partial(traffic_queries.read_latency, self.engine, task, days),
            self.describe,
        )

    def skew(self, task: str) -> CachedResult[pd.DataFrame]:
        """Return the training-serving skew, see traffic_queries.read_skew."""
        return self.cache.get(
            ("skew", task), partial(traffic_queries.read_skew, self.engine, task), self.describe
        )

    def expire(self) -> None:
        """Read everything again at the next access, after a page has changed something."""
        self.live.expire()
        self.cache.expire()

    def retry(self) -> None:
        """Read again at the next access, even after a failure."""
        self.live.retry()
        self.cache.retry()
