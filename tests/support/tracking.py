"""Runs and stored predictions for tests of the dashboard."""

from collections.abc import Mapping
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.stale_cache import CachedResult
from web.data.tracking.client import NoteConflictError
from web.data.tracking.curve_store import Curves
from web.data.tracking.history_types import (
    Choices,
    Cursor,
    HistoryFilter,
    HistoryPage,
    LiveAccuracy,
    LoggedPrediction,
    ModelAnswer,
)
from web.data.tracking.types import Artifact, Curve, CurveSummary, Lineage, Run, RunModel

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RUN_ID = "0123456789abcdef" * 2


def make_run(name: str = "lenet", **changes: Any) -> Run:
    """Return a run that has ended, with the given changes."""
    run = Run(
        id=7,
        name=name,
        task="digits",
        run_id=RUN_ID,
        source="mlflow",
        state="finished",
        project="Default",
        owner="ann",
        note="",
        note_revision=0,
        tags={},
        params={},
        metrics={},
        learning_rate=0.1,
        momentum=None,
        source_file=None,
        source_line=None,
        created_at=NOW,
        started_at=NOW,
        ended_at=NOW + timedelta(minutes=2),
        heartbeat_at=NOW,
        silent_since=None,
        archived_at=None,
        missing_since=None,
        previous_names=(),
    )
    return replace(run, **changes)


def make_model(version: int = 1, **changes: Any) -> RunModel:
    """Return a version of a model with the given changes."""
    model = RunModel(
        version=version,
        digest="d",
        status="READY",
        test_accuracy=0.98,
        aliases=(),
        images=0,
        correct=0,
        dataset_digest=None,
        dataset_images=None,
        evaluated_set=None,
        evaluated_images=None,
        evaluated_correct=None,
        pipeline_run=None,
        seed=None,
        training=None,
    )
    return replace(model, **changes)


def make_prediction(number: int = 1, **changes: Any) -> LoggedPrediction:
    """Return a prediction of lenet@1 as 7, with kept pixels and the given changes."""
    prediction = LoggedPrediction(
        prediction_id=f"{number:032x}",
        created_at=NOW - timedelta(seconds=number),
        experiment="lenet",
        version=1,
        task="digits",
        label="7",
        confidence=0.9,
        true_label=None,
        disagrees=False,
        warnings=(),
        image_digest=f"{number:064x}",
        pixels=bytes(784),
        classes=tuple("0123456789"),
    )
    return replace(prediction, **changes)


class FakeTracking:
    """Fake reader: prepared runs and predictions, and the filters that were asked for."""

    def __init__(self) -> None:
        self.runs = {"lenet": make_run()}
        self.problem: str | None = None
        self.curve_list: tuple[Curve, ...] = (Curve("loss", (1, 2), (0.9, 0.5)),)
        self.models: tuple[RunModel, ...] = ()
        self.artifact_list: tuple[Artifact, ...] = ()
        self.predictions: list[LoggedPrediction] = []
        self.answer_list: tuple[ModelAnswer, ...] = ()
        self.filters: list[HistoryFilter] = []
        self.live = LiveAccuracy(
            pd.DataFrame(
                columns=["experiment_name", "version", "task", "images", "correct", "test_accuracy"]
            ),
            pd.DataFrame(
                columns=["experiment_name", "version", "task", "true_label", "images", "correct"]
            ),
        )

    def _result(self, value: Any) -> CachedResult[Any]:
        return CachedResult(None if self.problem else value, 0.0, self.problem)

    def run(
        self, *, name: str | None = None, run_id: str | None = None
    ) -> CachedResult[Run | None]:
        runs = self.runs.values()
        return self._result(
            next(
                (
                    one
                    for one in runs
                    if one.run_id == run_id or name in (one.name, *one.previous_names)
                ),
                None,
            )
        )

    def curves(self, _run: int) -> CachedResult[Curves]:
        summaries = []
        for metric, steps, values in map(astuple, self.curve_list):
            best = min(values)
            best_step = steps[values.index(best)]
            summaries.append(
                CurveSummary(metric, len(steps), best, best_step, values[-1], steps[-1])
            )
        return self._result(Curves(self.curve_list, tuple(summaries)))

    def lineage(self, _name: str, _task: str) -> CachedResult[Lineage]:
        retrainings = pd.DataFrame(
            columns=[
                *("run_id", "kind", "state", "created_at", "dataset_digest", "gain", "verdict"),
                *("candidate_version", "promoted_at"),
            ]
        )
        champion = pd.DataFrame(columns=["version", "since", "until", "moved_by", "reason"])
        return self._result(Lineage(self.models, retrainings, champion))

    def artifacts(self, _run: int) -> CachedResult[tuple[Artifact, ...]]:
        return self._result(self.artifact_list)

    def history(
        self, criteria: HistoryFilter, limit: int, before: Cursor | None = None
    ) -> CachedResult[HistoryPage]:
        self.filters.append(criteria)
        rows = [
            one
            for one in self.predictions
            if (before is None or one.created_at < before.created_at)
            and (not criteria.is_wrong or one.is_wrong)
        ]
        shown = tuple(rows[:limit])
        after = Cursor(shown[-1].created_at, shown[-1].prediction_id) if rows[limit:] else None
        return self._result(HistoryPage(shown, after))

    def prediction(self, prediction: str) -> CachedResult[LoggedPrediction | None]:
        found = [one for one in self.predictions if one.prediction_id == prediction]
        return self._result(found[0] if found else None)

    def count(self, criteria: HistoryFilter) -> CachedResult[int]:
        return self._result(sum(one.is_wrong or not criteria.is_wrong for one in self.predictions))

    def answers(self, _prediction: str) -> CachedResult[tuple[ModelAnswer, ...]]:
        return self._result(self.answer_list)

    def accuracy(self) -> CachedResult[LiveAccuracy]:
        return self._result(self.live)

    def choices(self) -> CachedResult[Choices]:
        classes = {"digits": tuple("0123456789")}
        return self._result(Choices(classes, {"digits": (("lenet", 1), ("lenet", 2))}, ("curl",)))

    def expire(self) -> None:
        """Do nothing: there is no cache."""


class FakeTrackingApi:
    """Fake of the API: changes the runs of a fake reader, or raises a prepared error."""

    def __init__(self, tracking: FakeTracking) -> None:
        self._tracking = tracking
        self.error: ApiProblemError | ApiUnreachableError | None = None
        self.files: dict[str, bytes] = {}
        self.authors: list[str] = []
        self.changes: list[tuple[str, dict[str, Any], str]] = []  # name, changes, author

    def patch(self, name: str, changes: Mapping[str, Any], *, author: str) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        self.changes.append((name, dict(changes), author))
        return {}

    def set_note(self, name: str, note: str, *, revision: int, author: str) -> int:
        if self.error is not None:
            raise self.error
        run = self._tracking.runs[name]
        if revision != run.note_revision:
            problem = ApiProblemError(409, "Note changed", "")
            raise NoteConflictError(problem, run.note, run.note_revision)
        self.authors.append(author)
        self._tracking.runs[name] = replace(
            run, note=note, note_revision=revision + 1, note_author=author
        )
        return revision + 1

    def set_tag(self, name: str, key: str, value: str | None, *, author: str) -> None:
        if self.error is not None:
            raise self.error
        self.authors.append(author)
        run = self._tracking.runs[name]
        tags = {one: text for one, text in run.tags.items() if one != key}
        self._tracking.runs[name] = replace(
            run, tags=tags if value is None else {**tags, key: value}, tags_author=author
        )

    def artifact(self, _name: str, path: str) -> bytes:
        if path not in self.files:
            raise ApiUnreachableError("The inference API does not respond.")
        return self.files[path]
