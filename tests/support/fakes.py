"""Fake sources that a test can break, and the dashboard on them without a browser."""

import io
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.support.explanations import explanation_document
from tests.support.fake_board import FakeBoard
from tests.support.fake_learning import FakeImages, FakeLearning, FakeLearningApi
from tests.support.fake_monitoring import FakeMonitoring, FakeMonitoringApi
from tests.support.tracking import FakeTracking, FakeTrackingApi
from web.data.api_types import (
    Alias,
    AliasMove,
    Answer,
    Answers,
    ApiProblemError,
    ApiUnreachableError,
    ImageResult,
    Label,
    Model,
    ModelVersion,
    Prediction,
    Readiness,
)
from web.data.diagnostics.robustness import NOT_MEASURED, Robustness
from web.data.leaderboard.changes import Revision
from web.data.leaderboard_queries import (
    PAGE_ROWS,
    LeaderboardPage,
    LeaderboardQuery,
    TaskSummary,
)
from web.data.monitoring.metrics import ServiceMetrics
from web.data.monitoring.replicas import Served
from web.data.queries import ImportedFile, Snapshot
from web.data.stale_cache import CachedResult
from web.evaluations.runner import Evaluator
from web.settings import Settings

APP = str(Path(__file__).resolve().parents[2] / "web" / "app.py")
HOSTILE = "evil_*b*[c](http://x)<script>alert(1)</script>:red[d]"
WARNINGS = {b"blank": ("no digit found",), b"two": ("several digits (2)",)}  # by image
DOWN = "Postgres at `db.example:5432` does not respond. Start it."


def make_version(name: str, version: int = 1, **changes: Any) -> ModelVersion:
    """Return a ready version with the given changes."""
    defaults: dict[str, Any] = {
        "state": "READY",
        "reason": None,
        "digest": "d",
        "task": "digits",
        "is_default": True,
        "aliases": (),
        "classes": tuple("0123456789"),
        "input_spec": {"height": 28, "width": 28, "scale": 1.0, "invert": False},
        "output": "probabilities",
        "bytes": 250_000,
        "memory_bytes": 800_000,
        "test_accuracy": 0.98,
        "parity": None,
        "update": None,
        "probe": None,
    }
    return ModelVersion(name, version, **{**defaults, **changes})


def noise_png(image: bytes) -> bytes:
    """Return a model input that depends on the bytes of an image only."""
    out = io.BytesIO()
    pixels = np.random.default_rng(zlib.crc32(image)).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


class FakeSources:
    """Fake sources: four experiments, one with a hostile name and one without a model."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.api = self
        self.names = ["ready_2", HOSTILE, "ready_1", "bare"]
        self.served = {
            name: Model(name, "READY", None, "d", "digits", tuple("0123456789"))
            for name in self.names
            if name != "bare"
        }
        self.replicas = Served()
        self.tasks: dict[str, str] = {}  # tasks other than digits
        self.archived: set[str] = set()
        self.renamed: dict[str, str] = {}  # current names by previous names
        self.accuracies: dict[str, float] = {}  # accuracies other than 0.98
        self.states: dict[str, str] = {}  # states other than finished
        self.files: tuple[ImportedFile, ...] = (ImportedFile("data.csv", 1, None),)
        self.database_problem: str | None = None
        self.api_problem: str | None = None
        self.was_ever_up = True
        self.predicted = {HOSTILE: "1"}
        self.unfit: dict[str, tuple[str, float | None]] = {}  # outcome and accuracy
        self.stores_predictions = True
        self.stored_label: Label | None = None
        self.calls = 0
        self.explained: list[list[str]] = []  # models of each request for occlusion maps
        self.unexplained: tuple[str, ...] = ()  # models without a map
        self.explain_error: Exception | None = None
        self.robust: dict[str, Robustness] = {}  # by pinned name
        self.listed = [
            make_version("ready_1", test_accuracy=0.99, aliases=("champion",)),
            make_version("ready_2", 2),
            make_version("ready_2", 1, is_default=False),
            make_version(HOSTILE, state="FAILED", reason="The file is *torn*."),
        ]
        self.moved: list[tuple[str, ...]] = []
        self.api_error: ApiProblemError | None = None
        self.evaluator = Evaluator(
            partial(self.predict, view=True),
            lambda: {version.pinned_name: version.digest for version in self.listed},
            lambda *_result: None,
        )
        self.learning = FakeLearning()
        self.learning_api = FakeLearningApi(self.learning)
        self.board = FakeBoard(self._rows)
        self.monitoring = FakeMonitoring()
        self.monitoring_api = FakeMonitoringApi()
        self.tracking = FakeTracking()
        self.tracking_api = FakeTrackingApi(self.tracking)
        self.images = FakeImages()
        self.imported_at = datetime.now(UTC)
        self.matched = ["ready_1"]  # experiments that match any filter
        self.last_query: LeaderboardQuery | None = None
        self.curve_error: Exception | None = None

    def snapshot(self) -> CachedResult[Snapshot]:
        experiments = pd.DataFrame(
            {
                "experiment": self.names,
                "task": [self.tasks.get(name, "digits") for name in self.names],
                "archived": [name in self.archived for name in self.names],
            },
            dtype="object",
        )
        rejects = pd.DataFrame(
            [("data.csv", 3, "Loss", HOSTILE, None)],
            columns=["file", "line", "column_name", "reason", "last_seen_at"],
        )
        value = (
            Snapshot(
                experiments, rejects, self.imported_at, self.files, self.renamed, self.replicas
            )
            if self.was_ever_up
            else None
        )
        return CachedResult(value, 40.0 if self.was_ever_up else None, self.database_problem)

    def column_keys(self) -> CachedResult[list[str]]:
        return CachedResult(
            ["batch_size", HOSTILE, "outcome"] if self.was_ever_up else None,
            40.0,
            self.database_problem,
        )

    def leaderboard(
        self, query: LeaderboardQuery, page: int, _revision: Revision | None = None
    ) -> CachedResult[LeaderboardPage]:
        self.last_query = query
        rows = self._rows(query)
        tasks = sorted({self.tasks.get(name, "digits") for name in self.names})
        totals = tuple(
            TaskSummary(
                task,
                sum(self.tasks.get(name, "digits") == task for name in self.names),
                0,
                self.names[0],
                0.98,
                0.98,
                None,
                None,
            )
            for task in tasks
        )
        first = (page - 1) * PAGE_ROWS
        return CachedResult(
            LeaderboardPage(rows.iloc[first : first + PAGE_ROWS], page, len(rows), totals),
            40.0,
            self.database_problem,
        )

    def export(self, query: LeaderboardQuery) -> pd.DataFrame:
        return self._rows(query)

    def _rows(self, query: LeaderboardQuery) -> pd.DataFrame:
        """Return the experiments of a query, newest first whatever its order.

        Those in self.matched match any filter.
        """
        task_of = {name: self.tasks.get(name, "digits") for name in self.names}
        of_task = [
            name
            for name in self.names
            if query.task in (None, task_of[name]) and (query.archived or name not in self.archived)
        ]
        filtered = (
            of_task[: query.latest]
            if query.condition is None
            else [name for name in of_task if name in self.matched]
        )
        names = sorted(
            [name for name in self.names if name in query.names] if query.names else filtered,
            key=task_of.__getitem__,
        )
        return pd.DataFrame(
            {
                "experiment": names,
                "task": [task_of[name] for name in names],
                "learning_rate": 0.1,
                "momentum": 0.9,
                "architecture": "lenet",
                "test_accuracy": [self.accuracies.get(name, 0.98) for name in names],
                "outcome": "finished",
                "best_validation_loss": 0.015,
                "best_loss": 0.01,
                "last_loss": 0.02,
                "state": [self.states.get(name, "finished") for name in names],
                "source": "csv",
                "project": None,
                "owner": None,
                "tags": None,
                "started_at": None,
                "missing_since": None,
                "archived_at": [
                    self.imported_at if name in self.archived else None for name in names
                ],
                "params": [
                    {"batch_size": 2 ** self.names.index(name), HOSTILE: "x"} for name in names
                ],
                "metrics": [{} for _ in names],
                "champion": [name == "ready_1" for name in names],
                "loss_curve": [[1.0, 0.5] for _ in names],
            }
        )

    def curves(
        self, _metric: str, experiments: Sequence[str], _revision: Revision | None = None
    ) -> CachedResult[pd.DataFrame]:
        if self.curve_error is not None:
            raise self.curve_error
        rows = [(name, step, 1.0 / (step + 1)) for name in experiments for step in range(3)]
        return CachedResult(pd.DataFrame(rows, columns=["experiment", "step", "value"]), 0.0, None)

    def runs(self, experiments: Sequence[str]) -> CachedResult[pd.DataFrame]:
        names = [name for name in experiments if name in self.names]
        rows = pd.DataFrame(
            {
                "experiment": names,
                "task": [self.tasks.get(name, "digits") for name in names],
                "learning_rate": 0.1,
                "momentum": 0.9,
                "test_accuracy": [
                    self.unfit.get(name, (None, self.accuracies.get(name, 0.98)))[1]
                    for name in names
                ],
                "best_validation_loss": 0.015,
                "best_loss": 0.01,
                "params": [
                    {
                        "batch_size": 2 ** self.names.index(name),
                        HOSTILE: "x",
                        **({"outcome": self.unfit[name][0]} if name in self.unfit else {}),
                    }
                    for name in names
                ],
            }
        )
        return CachedResult(rows if self.was_ever_up else None, 0.0, self.database_problem)

    def top_experiments(self, count: int) -> CachedResult[list[str]]:
        return CachedResult(
            self.names[:count] if self.was_ever_up else None, 0.0, self.database_problem
        )

    def describe_api_error(self, error: Exception) -> str:
        return f"The inference API failed: {error}"

    def models(self) -> CachedResult[dict[str, Model]]:
        return CachedResult(None if self.api_problem else self.served, 0.0, self.api_problem)

    def versions(self) -> CachedResult[list[ModelVersion]]:
        return CachedResult(self.listed, 0.0, self.api_problem)

    def card(
        self, _name: str, _version: int, _digest: str | None
    ) -> CachedResult[Mapping[str, Any]]:
        return CachedResult({"config": {"learning_rate": 0.1}}, 0.0, None)

    def robustness(self, name: str, _digest: str | None) -> CachedResult[Robustness]:
        found = None if self.api_problem else self.robust.get(name, NOT_MEASURED)
        return CachedResult(found, 0.0, self.api_problem)

    def aliases(self) -> CachedResult[list[Alias]]:
        last = AliasMove(datetime.now(UTC), "ready_1", 1, "ready_2", 2, "ann", "better", 2)
        first = AliasMove(
            datetime(2026, 1, 1, tzinfo=UTC), "ready_2", 2, None, None, "ml-ops-starter", "first"
        )
        return CachedResult(
            [Alias("digits", "champion", "ready_1", 1, "READY", (last, first), ("ready_2", 2))],
            0.0,
            self.api_problem,
        )

    def service_metrics(self) -> CachedResult[ServiceMetrics]:
        return CachedResult(self.monitoring_api.served, 0.0, self.api_problem)

    def expire_models(self) -> None:
        """Do nothing: there is no cache."""

    def move_alias(
        self, task: str, alias: str, experiment: str, version: int, *, moved_by: str, reason: str
    ) -> None:
        if self.api_error is not None:
            raise self.api_error
        self.moved.append((task, alias, f"{experiment}@{version}", moved_by, reason))

    def roll_back_alias(self, task: str, alias: str, *, moved_by: str, reason: str) -> None:
        self.moved.append((task, alias, "back", moved_by, reason))

    def readiness(self) -> CachedResult[Readiness]:
        return CachedResult(Readiness("ready", len(self.served), 0, 0, None), 0.0, self.api_problem)

    def retry(self) -> None:
        """Do nothing: there is no cache."""

    def predict(
        self,
        images: Sequence[bytes],
        experiments: Sequence[str],
        *,
        view: bool = False,
    ) -> list[ImageResult]:
        self.calls += 1
        if b"gone" in images:
            raise ApiUnreachableError("No response.")
        results = [self._outcome(image, experiments) for image in images]
        for image, result in zip(images, results, strict=True):
            if view and isinstance(result, Answers):
                result.view = noise_png(image)
        return results

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Answer POST /explanations."""
        assert (method, path) == ("POST", "/explanations")
        if self.explain_error is not None:
            raise self.explain_error
        names = [value for key, value in arguments["params"] if key == "experiments"]
        self.explained.append(names)
        return explanation_document(names, failed=self.unexplained)

    def _outcome(self, image: bytes, experiments: Sequence[str]) -> ImageResult:
        if image == b"bad":
            return ApiProblemError(415, "Unsupported", "This is *not* an image.")
        answers = self._answers(experiments)
        answers.warnings = WARNINGS.get(image, ())
        return answers

    def _answers(self, experiments: Sequence[str]) -> Answers:
        name_of = "p" if self.stores_predictions else None
        return Answers(
            Answer(
                name,
                prediction=Prediction(
                    self.predicted.get(name, "7"), 0.9, {"1": 0.1, "7": 0.9}, name_of
                ),
            )
            for name in experiments
        )

    def store_label(
        self, _prediction_id: str, label: str, *, labelled_by: str, replaces: str | None = None
    ) -> None:
        if self.api_error is not None:
            raise self.api_error
        if self.stored_label is not None and self.stored_label.label not in (label, replaces):
            raise ApiProblemError(409, "Label conflict", "")
        self.stored_label = Label(label, labelled_by, datetime(2026, 1, 31, 12, 0, tzinfo=UTC))

    def current_label(self, _prediction_id: str) -> Label | None:
        return self.stored_label


def open_page(**query: str | list[str]) -> AppTest:
    """Run the whole app on its first page, the leaderboard."""
    app = AppTest.from_file(APP, default_timeout=20)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def open_alone(script: Callable[[], None], **query: str | list[str]) -> AppTest:
    """Run one page without the frame. AppTest can switch only to pages that are files.

    AppTest runs the source of the function on its own, so it must contain its imports.
    """
    app = AppTest.from_function(script, default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def find_shared(widgets: Iterable[Any], name: str) -> Any:
    """Return the widget of a value that several pages share."""
    [found] = [one for one in widgets if str(one.key).startswith(f"{name}:")]
    return found


def linked_names(links: Iterable[str]) -> list[str]:
    """Return the texts of links to runs in a column of a table."""
    return [unquote(link.partition("#")[2]) for link in links]


def visible_text(app: AppTest) -> str:
    """Return the text of alerts, markdown, captions and the title."""
    boxes = [*app.error, *app.warning, *app.info]
    titles = [str(getattr(box.proto, "title", "")) for box in boxes]
    return "\n".join(
        [*titles, *(element.value for element in [*boxes, *app.markdown, *app.caption, *app.title])]
    )
