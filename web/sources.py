"""The two sources of every page, Postgres and the inference API, with their pools and caches. One set per process."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st
from sqlalchemy import Engine

from web import queries
from web.cache import LastGood, Reading
from web.client import ApiClient, ApiProblem, Model, Readiness
from web.queries import Board, Snapshot, View
from web.settings import Settings
from web.wording import plain

# Data changes when someone imports; models when someone publishes; so seconds are soon enough and spare both services.
DATABASE_FRESH_SECONDS = 10.0
API_FRESH_SECONDS = 3.0
# How long a source that failed is left alone: shorter than the status strip's interval, so that it sees it come back.
RETRY_SECONDS = 2.0
# How long a page waits for a source that hangs.
DEADLINE_SECONDS = 5.0


@dataclass(frozen=True)
class Sources:
    """Reads through the caches. What returns a Reading never raises: it says what is wrong. Values are shared: never change one."""

    settings: Settings
    engine: Engine
    api: ApiClient
    database_cache: LastGood
    api_cache: LastGood

    def snapshot(self) -> Reading[Snapshot]:
        """What every page needs of the database."""
        return self.database_cache.get("snapshot", partial(queries.read_snapshot, self.engine), self._describe_database)

    def curves(self, metric: str, experiments: Sequence[str]) -> Reading[pd.DataFrame]:
        """Return the curves of a metric, see queries.read_curves."""
        return self.database_cache.get(
            ("curves", metric, tuple(experiments)),
            partial(queries.read_curves, self.engine, metric, experiments),
            self._describe_database,
        )

    def keys(self) -> Reading[list[str]]:
        """Return the keys of params and metrics that any experiment has, see queries.read_keys."""
        return self.database_cache.get("keys", partial(queries.read_keys, self.engine), self._describe_database)

    def leaderboard(self, view: View, page: int) -> Reading[Board]:
        """Return a page of the leaderboard, see queries.read_leaderboard."""
        return self.database_cache.get(
            ("leaderboard", view, page), partial(queries.read_leaderboard, self.engine, view, page), self._describe_database
        )

    def points(self, view: View, limit: int) -> Reading[pd.DataFrame]:
        """Return the numbers of the first experiments of a view, see queries.read_points."""
        return self.database_cache.get(
            ("points", view, limit), partial(queries.read_points, self.engine, view, limit), self._describe_database
        )

    def export(self, view: View) -> pd.DataFrame:
        """Read all experiments of a view. Not kept, as it may be large, and raises as queries.read_matching."""
        return queries.read_matching(self.engine, view)

    def models(self) -> Reading[dict[str, Model]]:
        """Return the served models by name."""
        return self.api_cache.get("models", self.api.models, self._describe_api)

    def readiness(self) -> Reading[Readiness]:
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
        if isinstance(error, ApiProblem):
            return f"{where} has a problem: {plain(str(error))}"
        return f"{where} does not answer: start it with `make up` or `docker compose up`."


def make_sources(settings: Settings) -> Sources:
    """Wire the sources. Nothing is connected yet."""
    return Sources(
        settings=settings,
        engine=queries.connect(settings),
        api=ApiClient(settings.api_url),
        database_cache=LastGood(
            fresh_seconds=DATABASE_FRESH_SECONDS, retry_seconds=RETRY_SECONDS, deadline_seconds=DEADLINE_SECONDS
        ),
        api_cache=LastGood(fresh_seconds=API_FRESH_SECONDS, retry_seconds=RETRY_SECONDS, deadline_seconds=DEADLINE_SECONDS),
    )


@st.cache_resource(show_spinner=False)
def sources() -> Sources:
    """Return the sources that all sessions share."""
    return make_sources(Settings.from_environment(os.environ))
