"""The two sources of every page, Postgres and the inference API, with their pools and caches.

One set per process.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import Engine

from servicekit import json_logging
from web.data import queries
from web.data.api_client import (
    EVALUATION,
    Alias,
    ApiClient,
    ApiProblemError,
    Model,
    Readiness,
    Version,
)
from web.data.queries import LeaderboardPage, LeaderboardQuery, Snapshot
from web.data.stale_cache import CachedResult, StaleCache
from web.evaluation.runner import Evaluator
from web.formatting import plain
from web.settings import Settings

# Data changes when someone imports; models when someone publishes; so seconds are soon enough and
# spare both services.
DATABASE_FRESH_SECONDS = 10.0
API_FRESH_SECONDS = 3.0
# How long a source that failed is left alone: shorter than the status strip's interval, so that it
# sees it come back.
RETRY_SECONDS = 2.0
# How long a page waits for a source that hangs.
DEADLINE_SECONDS = 5.0
# A call of many images, which nobody waits for.
EVALUATION_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Sources:
    """Reads through the caches.

    What returns a CachedResult never raises: it says what is wrong. Values are shared: never change one.
    """

    settings: Settings
    engine: Engine
    api: ApiClient
    database_cache: StaleCache
    api_cache: StaleCache
    evaluator: Evaluator

    def snapshot(self) -> CachedResult[Snapshot]:
        """What every page needs of the database."""
        return self.database_cache.get(
            "snapshot", partial(queries.read_snapshot, self.engine), self._describe_database
        )

    def curves(self, metric: str, experiments: Sequence[str]) -> CachedResult[pd.DataFrame]:
        """Return the curves of a metric, see queries.read_curves."""
        return self.database_cache.get(
            ("curves", metric, tuple(experiments)),
            partial(queries.read_curves, self.engine, metric, experiments),
            self._describe_database,
        )

    def runs(self, experiments: Sequence[str]) -> CachedResult[pd.DataFrame]:
        """Return the settings and results of experiments, see queries.read_runs."""
        return self.database_cache.get(
            ("runs", tuple(experiments)),
            partial(queries.read_runs, self.engine, experiments),
            self._describe_database,
        )

    def top(self, count: int) -> CachedResult[list[str]]:
        """Return the most accurate experiments, see queries.read_top."""
        return self.database_cache.get(
            ("top", count), partial(queries.read_top, self.engine, count), self._describe_database
        )

    def keys(self) -> CachedResult[list[str]]:
        """Return the keys of params and metrics that any experiment has, see queries.read_keys."""
        return self.database_cache.get(
            "keys", partial(queries.read_keys, self.engine), self._describe_database
        )

    def leaderboard(self, view: LeaderboardQuery, page: int) -> CachedResult[LeaderboardPage]:
        """Return a page of the leaderboard, see queries.read_leaderboard."""
        return self.database_cache.get(
            ("leaderboard", view, page),
            partial(queries.read_leaderboard, self.engine, view, page),
            self._describe_database,
        )

    def points(self, view: LeaderboardQuery, limit: int) -> CachedResult[pd.DataFrame]:
        """Return the numbers of the first experiments of a view, see queries.read_points."""
        return self.database_cache.get(
            ("points", view, limit),
            partial(queries.read_points, self.engine, view, limit),
            self._describe_database,
        )

    def export(self, view: LeaderboardQuery) -> pd.DataFrame:
        """Read all experiments of a view.

        Not kept, as it may be large, and raises as queries.read_matching.
        """
        return queries.read_matching(self.engine, view)

    def models(self) -> CachedResult[dict[str, Model]]:
        """Return the served models by name."""
        return self.api_cache.get("models", self.api.models, self._describe_api)

    def versions(self) -> CachedResult[list[Version]]:
        """Return every version of every model."""
        return self.api_cache.get("versions", self.api.versions, self._describe_api)

    def card(self, name: str, version: int, digest: str | None) -> CachedResult[Mapping[str, Any]]:
        """Return what the card of a version says; digest: of its files, which the card belongs to."""
        return self.api_cache.get(
            ("card", name, version, digest),
            partial(self.api.card, name, version),
            self._describe_api,
        )

    def aliases(self) -> CachedResult[list[Alias]]:
        """Return every alias with its moves."""
        return self.api_cache.get("aliases", self.api.aliases, self._describe_api)

    def models_changed(self) -> None:
        """Ask the API anew at the next look, because this page has just changed something there."""
        self.api_cache.outdate()

    def readiness(self) -> CachedResult[Readiness]:
        """Return what the API says of itself."""
        return self.api_cache.get("readiness", self.api.readiness, self._describe_api)

    def retry(self) -> None:
        """Ask both again at the next look."""
        self.database_cache.retry()
        self.api_cache.retry()

    def _describe_database(self, error: Exception) -> str:
        return queries.describe(error, self.settings.database_address)

    def _describe_api(self, error: Exception) -> str:
        where = f"The inference API at `{self.settings.api_url}`"
        if isinstance(error, TimeoutError):
            return f"{where} takes too long to answer."
        if isinstance(error, ApiProblemError):
            return f"{where} has a problem: {plain(str(error))}"
        return f"{where} does not answer: start it with `make up` or `docker compose up`."


def make_sources(settings: Settings) -> Sources:
    """Wire the sources. Nothing is connected yet."""
    # Its calls are many images each, nobody waits for one, and who reads the log can tell them from
    # people's.
    background = ApiClient(
        settings.api_url,
        key=settings.api_key,
        user_agent=EVALUATION,
        read_timeout_seconds=EVALUATION_TIMEOUT_SECONDS,
    )
    return Sources(
        settings=settings,
        engine=queries.connect(settings),
        api=ApiClient(settings.api_url, key=settings.api_key),
        database_cache=StaleCache(
            fresh_seconds=DATABASE_FRESH_SECONDS,
            retry_seconds=RETRY_SECONDS,
            deadline_seconds=DEADLINE_SECONDS,
        ),
        api_cache=StaleCache(
            fresh_seconds=API_FRESH_SECONDS,
            retry_seconds=RETRY_SECONDS,
            deadline_seconds=DEADLINE_SECONDS,
        ),
        evaluator=Evaluator(
            background.predict, lambda: {each.pinned: each.digest for each in background.versions()}
        ),
    )


@st.cache_resource(show_spinner=False)
def sources() -> Sources:
    """Return the sources that all sessions share; the first to ask sets up the log of the process."""
    json_logging.configure(logging.WARNING, library="streamlit")
    return make_sources(Settings.from_environment(os.environ))
