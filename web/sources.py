"""Sources of the pages: Postgres and the inference API, behind caches. One set per process."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import Engine

from evaluation.metrics import Predictions
from servicekit import json_logging
from web.data import leaderboard_queries, postgres, queries
from web.data.api_client import EVALUATION_USER_AGENT, ApiClient
from web.data.api_types import Alias, ApiProblemError, Model, ModelVersion, Readiness
from web.data.diagnostics.robustness import Robustness, read_robustness
from web.data.leaderboard.changes import Revision
from web.data.leaderboard.reader import LeaderboardReader
from web.data.leaderboard_queries import LeaderboardPage, LeaderboardQuery
from web.data.learning.client import LearningClient
from web.data.learning.reader import LearningReader
from web.data.monitoring.client import MonitoringClient
from web.data.monitoring.metrics import ServiceMetrics
from web.data.monitoring.reader import MonitoringReader
from web.data.queries import Snapshot
from web.data.stale_cache import CachedResult, SourceState, StaleCache
from web.data.tracking.client import TrackingClient
from web.data.tracking.reader import TrackingReader
from web.evaluations.image_store import ImageStore
from web.evaluations.labeled_set import LabeledSet
from web.evaluations.runner import Evaluator
from web.evaluations.stored_result import stored_result
from web.formatting import escape_markdown
from web.settings import Settings

# Imports and published models change the data, both rarely. These ages limit the load.
DATABASE_FRESH_SECONDS = 10.0
API_FRESH_SECONDS = 3.0
# Progress of a run, which its page reads every second. All viewers share one read.
LIVE_FRESH_SECONDS = 0.8
# Whether runs came or ended. A new run is on the leaderboard within 2 seconds.
REVISION_FRESH_SECONDS = 0.5
# Accuracy, latency and features, whose queries cost more.
MONITOR_FRESH_SECONDS = 4.0
# Pause after a failure. Shorter than the refresh of the status strip, which shows the recovery.
RETRY_SECONDS = 2.0
# Longest time that a page waits for a source that hangs.
DEADLINE_SECONDS = 5.0
# Read timeout of an evaluation request, which has many images and runs in the background.
EVALUATION_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Sources:
    """Cached reads of both sources.

    A method that returns a CachedResult never raises; the result has the problem. Values are
    shared, so callers must not modify them.
    """

    settings: Settings
    engine: Engine
    api: ApiClient
    database_cache: StaleCache
    api_cache: StaleCache
    evaluator: Evaluator
    learning: LearningReader
    learning_api: LearningClient
    board: LeaderboardReader
    monitoring: MonitoringReader
    monitoring_api: MonitoringClient
    tracking: TrackingReader
    tracking_api: TrackingClient
    images: ImageStore

    def snapshot(self) -> CachedResult[Snapshot]:
        """Return the data of every page, see queries.read_snapshot."""
        return self.database_cache.get(
            "snapshot", partial(queries.read_snapshot, self.engine), self.describe_database_error
        )

    def curves(
        self, metric: str, experiments: Sequence[str], revision: Revision | None = None
    ) -> CachedResult[pd.DataFrame]:
        """Return the curves of a metric, see queries.read_curves. Another revision reads again."""
        return self.database_cache.get(
            ("curves", metric, tuple(experiments), revision),
            partial(queries.read_curves, self.engine, metric, experiments),
            self.describe_database_error,
        )

    def runs(self, experiments: Sequence[str]) -> CachedResult[pd.DataFrame]:
        """Return the parameters and results of experiments, see queries.read_runs."""
        return self.database_cache.get(
            ("runs", tuple(experiments)),
            partial(queries.read_runs, self.engine, experiments),
            self.describe_database_error,
        )

    def top_experiments(self, count: int) -> CachedResult[list[str]]:
        """Return the most accurate experiments, see queries.read_top_experiments."""
        return self.database_cache.get(
            ("top_experiments", count),
            partial(queries.read_top_experiments, self.engine, count),
            self.describe_database_error,
        )

    def column_keys(self) -> CachedResult[list[str]]:
        """Return the keys of params and metrics, see leaderboard_queries.read_column_keys."""
        return self.database_cache.get(
            "column_keys",
            partial(leaderboard_queries.read_column_keys, self.engine),
            self.describe_database_error,
        )

    def leaderboard(
        self, query: LeaderboardQuery, page: int, revision: Revision | None = None
    ) -> CachedResult[LeaderboardPage]:
        """Return one page of the leaderboard, see leaderboard_queries.read_leaderboard.

        Another revision reads again.
        """
        return self.database_cache.get(
            ("leaderboard", query, page, revision),
            partial(leaderboard_queries.read_leaderboard, self.engine, query, page),
            self.describe_database_error,
        )

    def export(self, query: LeaderboardQuery) -> pd.DataFrame:
        """Read all experiments of a query. Not cached, because the result may be large.

        Raises:
            SQLAlchemyError: see leaderboard_queries.read_all_rows.

        """
        return leaderboard_queries.read_all_rows(self.engine, query)

    def models(self) -> CachedResult[dict[str, Model]]:
        """Return the served models by name."""
        return self.api_cache.get("models", self.api.models, self.describe_api_error)

    def versions(self) -> CachedResult[list[ModelVersion]]:
        """Return every version of every model."""
        return self.api_cache.get("versions", self.api.versions, self.describe_api_error)

    def card(self, name: str, version: int, digest: str | None) -> CachedResult[Mapping[str, Any]]:
        """Return the card of a version. digest: of its files, so that a new card is read."""
        return self.api_cache.get(
            ("card", name, version, digest),
            partial(self.api.card, name, version),
            self.describe_api_error,
        )

    def robustness(self, name: str, digest: str | None) -> CachedResult[Robustness]:
        """Return the robustness of a version by its pinned name. digest: of its files."""
        return self.api_cache.get(
            ("robustness", name, digest),
            partial(read_robustness, self.api, name),
            self.describe_api_error,
        )

    def aliases(self) -> CachedResult[list[Alias]]:
        """Return every alias with its moves."""
        return self.api_cache.get("aliases", self.api.aliases, self.describe_api_error)

    def readiness(self) -> CachedResult[Readiness]:
        """Return the state of the API."""
        return self.api_cache.get("readiness", self.api.readiness, self.describe_api_error)

    def service_metrics(self) -> CachedResult[ServiceMetrics]:
        """Return the answers of the service by status, and the lag of its log."""
        return self.api_cache.get("metrics", self.monitoring_api.metrics, self.describe_api_error)

    def expire_models(self) -> None:
        """Read the API again at the next access, after a page has changed something there."""
        self.api_cache.expire()

    def retry(self) -> None:
        """Read both sources again at the next access, even after a failure."""
        self.database_cache.retry()
        self.api_cache.retry()
        self.learning.retry()
        self.monitoring.retry()
        self.tracking.retry()

    def describe_database_error(self, error: Exception) -> str:
        """Return what is wrong with Postgres, and what to do, as Markdown."""
        return postgres.describe_error(error, self.settings.database_address)

    def describe_api_error(self, error: Exception) -> str:
        """Return what is wrong with the API, and what to do, as Markdown."""
        server = f"The inference API at `{self.settings.api_url}`"
        if isinstance(error, TimeoutError):
            return f"{server} takes too long to respond."
        if isinstance(error, ApiProblemError):
            return f"{server} has a problem: {escape_markdown(str(error))}"
        return f"{server} does not respond. Start it with `make up` or `docker compose up`."


def make_sources(settings: Settings) -> Sources:
    """Wire the sources. Nothing connects yet."""
    # Evaluations have a user agent of their own, so that the access log distinguishes them.
    evaluation_api = ApiClient(
        settings.api_url,
        key=settings.api_key,
        user_agent=EVALUATION_USER_AGENT,
        read_timeout_seconds=EVALUATION_TIMEOUT_SECONDS,
    )

    def current_digests() -> dict[str, str | None]:
        return {version.pinned_name: version.digest for version in evaluation_api.versions()}

    api = ApiClient(settings.api_url, key=settings.api_key)
    learning_api = LearningClient(api)

    def store(model: ModelVersion, labeled_set: LabeledSet, predictions: Predictions) -> None:
        result = stored_result(model, labeled_set, predictions)
        if result is not None:
            learning_api.store_evaluation(result)

    database = SourceState(postgres.is_outage)

    def make_cache(fresh_seconds: float, source: SourceState | None = database) -> StaleCache:
        return StaleCache(
            fresh_seconds=fresh_seconds,
            retry_seconds=RETRY_SECONDS,
            deadline_seconds=DEADLINE_SECONDS,
            source=source,
        )

    def describe_database(error: Exception) -> str:
        return postgres.describe_error(error, settings.database_address)

    engine = postgres.make_engine(settings)
    database_cache = make_cache(DATABASE_FRESH_SECONDS)
    return Sources(
        settings=settings,
        engine=engine,
        api=api,
        database_cache=database_cache,
        api_cache=make_cache(API_FRESH_SECONDS, None),
        evaluator=Evaluator(
            partial(evaluation_api.predict, log=False, view=True), current_digests, store
        ),
        learning=LearningReader(
            engine, make_cache(LIVE_FRESH_SECONDS), database_cache, describe_database
        ),
        learning_api=learning_api,
        board=LeaderboardReader(
            engine, make_cache(REVISION_FRESH_SECONDS), database_cache, describe_database
        ),
        monitoring=MonitoringReader(
            engine,
            make_cache(LIVE_FRESH_SECONDS),
            make_cache(MONITOR_FRESH_SECONDS),
            describe_database,
        ),
        monitoring_api=MonitoringClient(api),
        tracking=TrackingReader(
            engine, make_cache(LIVE_FRESH_SECONDS), database_cache, describe_database
        ),
        tracking_api=TrackingClient(api),
        images=ImageStore(api.image, settings.mnist_path),
    )


@st.cache_resource(show_spinner=False)
def get_sources() -> Sources:
    """Return the sources that all sessions share. The first call configures logging."""
    json_logging.configure(logging.WARNING, library="streamlit")
    postgres.limit_silence()
    return make_sources(Settings.from_environment(os.environ))
