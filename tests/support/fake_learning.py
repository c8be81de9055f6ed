"""Fake learning loop of the dashboard: prepared runs, data and requests, and recorded calls."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.learning.client import StartedRun
from web.data.learning.data_types import LabelQueue, LabelRequest, Schedule, StoredEvaluation
from web.data.learning.types import (
    STEPS,
    Comparison,
    Decision,
    DiscordantImage,
    Evidence,
    Run,
    RunDetail,
    RunList,
    Step,
    Training,
    Trigger,
)
from web.data.stale_cache import CachedResult

NOW = datetime.now(UTC)
DIGITS = tuple("0123456789")


def make_run(number: int = 7, **changes: Any) -> Run:
    """Return a run that succeeded without a promotion, with the given changes."""
    defaults: dict[str, Any] = {
        "kind": "retrain",
        "task": "digits",
        "experiment_name": "ready_1",
        "state": "SUCCEEDED",
        "reason": None,
        "params": {"seeds": 3},
        "created_at": NOW - timedelta(hours=2),
        "started_at": NOW - timedelta(hours=2),
        "finished_at": NOW - timedelta(hours=1),
        "heartbeat_at": NOW,
        "cancel_requested_at": None,
        "parent_run_id": None,
        "worker": "w1",
        "deaths": 0,
        "dataset_digest": "ab" * 32,
        "dataset_images": 70_312,
        "triggers": (
            Trigger("labels", "w1", "204 labels", NOW - timedelta(hours=2)),
            Trigger("manual", "ann", "*new* pens", NOW - timedelta(hours=2)),
            Trigger("api", "nightly", "end of month", NOW - timedelta(hours=2)),
        ),
        "verdict": "REFUSE",
        "is_promoted": False,
        "is_rolled_back": False,
        "is_champion": False,
        "needs_promotion": False,
        "gain": 0.0016,
        "gain_lower": -0.0002,
    }
    return Run(id=number, **{**defaults, **changes})


def make_step(name: str, state: str = "SUCCEEDED", **changes: Any) -> Step:
    """Return a step that took 12 seconds, with the given changes."""
    defaults: dict[str, Any] = {
        "attempt": 1,
        "started_at": NOW - timedelta(minutes=5),
        "finished_at": None if state == "RUNNING" else NOW - timedelta(minutes=5, seconds=-12),
        "worker": "w1",
        "outputs": {},
        "progress": {},
        "error": None,
        "typical_seconds": 20.0,
    }
    return Step(name=name, state=state, **{**defaults, **changes})


def make_comparison(**changes: Any) -> Comparison:
    """Return a comparison on 10,000 images, with the given changes."""
    defaults: dict[str, Any] = {
        "image_set": "base-test",
        "images": 10_000,
        "both_right": 9_850,
        "only_champion": 18,
        "only_candidate": 34,
        "both_wrong": 98,
        "unanswered": 0,
        "p_better": 0.018,
        "gain": 0.0016,
        "gain_lower": -0.0002,
        "discordant": (
            DiscordantImage("c1", "4", "9", "4"),
            DiscordantImage("c2", "7", "7", "1"),
        ),
        "decides": True,
    }
    return Comparison(**{**defaults, **changes})


def make_decision(verdict: str = "REFUSE", **changes: Any) -> Decision:
    """Return a verdict of run 7, with the given changes."""
    defaults: dict[str, Any] = {
        "run_id": 7,
        "reasons": ("Not *better*.",),
        "settings": {"alpha": 0.01, "margin": 0.003},
        "champion": "ready_1@1",
        "candidate": "ready_2@2",
        "at": NOW - timedelta(hours=1),
    }
    return Decision(verdict=verdict, **{**defaults, **changes})


def make_training(seed: int, accuracy: float | None = 0.98, **changes: Any) -> Training:
    """Return a finished training, or with accuracy None a running one, with the given changes."""
    is_over = accuracy is not None
    defaults: dict[str, Any] = {
        "trial": None,
        "fold": None,
        "params": {"learning_rate": 0.1},
        "outcome": "finished" if is_over else "RUNNING",
        "validation_accuracy": accuracy,
        "test_accuracy": accuracy,
        "seconds": 120.0 if is_over else None,
        "curve": ((100.0, 2.0), (200.0, 0.5)),
        "model_digest": None,
    }
    return Training(seed=seed, **{**defaults, **changes})


def make_detail(run: Run | None = None, **changes: Any) -> RunDetail:
    """Return a run in detail: all steps, three seeds and a refusal, with the given changes."""
    run = make_run() if run is None else run
    steps = tuple(
        make_step(name, outputs={"chosen_seed": 2} if name == "train" else {}) for name in STEPS
    )
    defaults: dict[str, Any] = {
        "steps": steps,
        "trainings": (make_training(1), make_training(2, 0.99), make_training(3, 0.97)),
        "comparisons": (make_comparison(),),
        "decision": make_decision(),
        "label_requests": 0,
        "labels_answered": 0,
    }
    return RunDetail(run=run, **{**defaults, **changes})


class FakeLearning:
    """Reads of the learning loop. Tests set its fields."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.was_ever_up = True
        self.details = {7: make_detail()}
        self.worker_seen_seconds: float | None = 3.0
        self.proof: Evidence | None = None
        self.moves: dict[int, int] = {}
        self.requests: list[LabelRequest] = []
        self.answered, self.skipped, self.labels_waiting = 0, 0, 0
        self.schedule: Schedule | None = None
        self.evaluated: StoredEvaluation | None = None
        self.dataset_rows = _datasets()
        self.upload_rows = _uploads()

    def _result(self, value: Any) -> CachedResult[Any]:
        return CachedResult(value if self.was_ever_up else None, 40.0, self.problem)

    def runs(self, limit: int) -> CachedResult[RunList]:
        runs = sorted((one.run for one in self.details.values()), key=lambda run: -run.id)
        return self._result(RunList(tuple(runs[:limit]), len(runs), self.worker_seen_seconds))

    def run(self, run: int) -> CachedResult[RunDetail | None]:
        return self._result(self.details.get(run))

    def evidence(self, _name: str, _version: int) -> CachedResult[Evidence | None]:
        return self._result(self.proof)

    def runs_of_moves(self) -> CachedResult[dict[int, int]]:
        return self._result(self.moves)

    def datasets(self) -> CachedResult[pd.DataFrame]:
        return self._result(self.dataset_rows)

    def dataset_counts(self, dataset: int) -> CachedResult[pd.DataFrame]:
        rows = [("7", "train", "correction", 9), ("7", "test", "audit", 3)] if dataset == 2 else []
        columns = ["label", "split", "source", "images"]
        return self._result(pd.DataFrame(rows, columns=columns))

    def uploads(self) -> CachedResult[pd.DataFrame]:
        return self._result(self.upload_rows)

    def label_queue(self, _task: str) -> CachedResult[LabelQueue]:
        return self._result(
            LabelQueue(
                tuple(self.requests),
                len(self.requests),
                self.answered,
                self.skipped,
                self.labels_waiting,
            )
        )

    def waiting(self, _task: str) -> CachedResult[int]:
        return self._result(self.labels_waiting)

    def schedules(self) -> CachedResult[tuple[Schedule, ...]]:
        return self._result(() if self.schedule is None else (self.schedule,))

    def evaluation(self, _model: str, _set: str) -> CachedResult[StoredEvaluation | None]:
        return self._result(self.evaluated)

    def expire(self) -> None:
        """Do nothing: there is no cache."""

    def retry(self) -> None:
        """Do nothing: there is no cache."""


class FakeLearningApi:
    """Records the calls. With `error` set, every call raises it."""

    def __init__(self, learning: FakeLearning) -> None:
        self._learning = learning
        self.calls: list[tuple[Any, ...]] = []
        self.error: ApiProblemError | ApiUnreachableError | None = None
        self.joins = False

    def _call(self, *call: Any) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(call)

    def retrain(
        self,
        task: str,
        experiment: str,
        *,
        seeds: int,
        dataset: str,
        sweep: Mapping[str, Any] | None,
        by: str,
        reason: str,
    ) -> StartedRun:
        self._call("retrain", task, experiment, seeds, dataset, sweep, by, reason)
        return StartedRun(7, self.joins)

    def cancel(self, run: int, *, by: str, reason: str) -> None:
        self._call("cancel", run, by, reason)

    def retry(self, run: int, *, by: str, reason: str) -> None:
        self._call("retry", run, by, reason)

    def promote(self, run: int, *, by: str, reason: str) -> None:
        self._call("promote", run, by, reason)

    def publish(
        self,
        experiment: str,
        file_name: str,
        data: bytes,
        *,
        card: Mapping[str, Any],
        force: bool,
        by: str,
        reason: str,
    ) -> StartedRun:
        self._call("publish", experiment, file_name, data, dict(card), force, by, reason)
        return StartedRun(9, self.joins)

    def upload(self, task: str, name: str, data: bytes, *, by: str) -> int:
        self._call("upload", task, name, data, by)
        return 1

    def request_labels(self, task: str, images: int, *, by: str) -> int:
        self._call("request_labels", task, images, by)
        return images

    def answer(self, prediction_id: str, label: str, *, labelled_by: str, request: int) -> None:
        self._call("answer", prediction_id, label, labelled_by, request)
        self._learning.answered += 1
        self._drop(request)

    def withdraw(self, prediction_id: str, *, by: str) -> None:
        self._call("withdraw", prediction_id, by)

    def skip(self, request: int, *, by: str) -> None:
        self._call("skip", request, by)
        self._learning.skipped += 1
        self._drop(request)

    def _drop(self, request: int) -> None:
        left = [one for one in self._learning.requests if one.id != request]
        self._learning.requests = left

    def set_schedule(self, task: str, **values: Any) -> None:
        self._call("set_schedule", task, values)

    def delete_schedule(self, task: str) -> None:
        self._call("delete_schedule", task)


class FakeImages:
    """No image is stored."""

    def get(self, digests: Sequence[str]) -> list[bytes | None]:
        return [None] * len(digests)


def make_request(number: int = 1, why: str = "disagreement") -> LabelRequest:
    """Return an open label request of the task digits."""
    return LabelRequest(number, "digits", f"i{number}", f"p{number}", why, 7, DIGITS)


def _datasets() -> pd.DataFrame:
    base = {"name": "mnist", "images": 70_000}
    return pd.DataFrame(
        [
            (2, "digits", "b" * 64, "a" * 64, 70_012, 9, {"base": base, "corrections": 12}, [7]),
            (1, "digits", "a" * 64, None, 70_000, 0, {"base": base}, None),
        ],
        columns=["id", "task", "digest", "parent_digest", "images", "bytes", "sources", "runs"],
    ).assign(
        train=55_000, validation=5_000, test=10_012, created_at=pd.Timestamp(NOW), created_by="run"
    )


def _uploads() -> pd.DataFrame:
    rejects = [{"path": "7/a.png", "reason": "The file is not an *image*."}]
    return pd.DataFrame(
        [
            (2, "pens.zip", "ACCEPTED", None, 480, 3, rejects),
            (1, "old.zip", "REJECTED", "No folders.", None, None, None),
        ],
        columns=["id", "name", "state", "reason", "images", "rejected", "rejects"],
    ).assign(
        task="digits",
        bytes=1_000,
        media_type="application/zip",
        uploaded_by="cleo",
        uploaded_at=pd.Timestamp(NOW),
    )
