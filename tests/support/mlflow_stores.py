"""In-memory stores behind MLflow's API: what the storage in Postgres does, without searching."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from starlette.routing import Route

from tracking.errors import (
    ChangedParamError,
    InvalidError,
    NameTakenError,
    UnknownArtifactError,
    UnknownProjectError,
    UnknownRunError,
)
from tracking.mlflow.routes import routes
from tracking.runs import (
    NOTHING,
    Artifact,
    ArtifactContent,
    Condition,
    CreatedRun,
    Entries,
    NewRun,
    Order,
    Point,
    Project,
    ProjectChange,
    Run,
    RunChange,
)
from tracking.storage.artifacts import Artifacts
from tracking.storage.database import Database
from tracking.storage.folding import Folding
from tracking.storage.logged_models import LoggedModel, LoggedModels
from tracking.storage.projects import Projects
from tracking.storage.runs import Runs
from tracking.storage.stores import Stores

NOW = datetime(2026, 11, 27, 15, 34, 12, tzinfo=UTC)


def csv_row(**changes: Any) -> Run:
    """Return a row of data.csv."""
    row = Run(
        id=1,
        run_id="c" * 32,
        name="mnist_experiment_1",
        task="mnist",
        source="csv",
        state="finished",
        project_id=None,
        owner=None,
        note="",
        note_revision=0,
        tags={},
        learning_rate=0.01,
        momentum=0.9,
        metrics={"test_accuracy": 0.98},
        created_at=NOW,
        updated_at=NOW,
        started_at=None,
        ended_at=None,
        silent_since=None,
        archived_at=None,
    )
    return replace(row, **changes)


class FakeRuns:
    """Runs by id, and the arguments of the last search."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.created: list[NewRun] = []
        self.sent: dict[str, dict[tuple[str, int, int, float], None]] = {}
        self.changes: list[RunChange] = []
        self.searched: tuple[Any, ...] = ()
        self._keys: dict[str | None, str] = {}

    def create(self, new: NewRun) -> CreatedRun:
        if new.creation_key in self._keys:
            return CreatedRun(self.runs[self._keys[new.creation_key]], is_new=False)
        run_id = uuid.uuid4().hex
        if new.creation_key is not None:
            self._keys[new.creation_key] = run_id
        self.created.append(new)
        self.sent[run_id] = {}
        self.runs[run_id] = csv_row(
            id=len(self.runs) + 1,
            run_id=run_id,
            name=new.name,
            source=new.source,
            state="running",
            project_id=new.project_id,
            owner=new.owner,
            note=new.note,
            tags=dict(new.tags),
            learning_rate=None,
            momentum=None,
            metrics={},
            started_at=new.started_at,
        )
        return CreatedRun(self.runs[run_id], is_new=True)

    def get(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise UnknownRunError
        run, latest = self.runs[run_id], {}
        for metric, step, logged_at, value in sorted(self.sent.get(run_id, ())):
            latest[metric] = Point(metric, step, logged_at, value)
        return replace(run, latest=latest)

    def log(self, run_id: str, entries: Entries) -> None:
        run = self.get(run_id)
        for key, value in entries.params.items():
            if run.params.get(key, value) != value:
                raise ChangedParamError
        self.runs[run_id] = replace(
            run, params={**run.params, **entries.params}, tags={**run.tags, **entries.tags}
        )
        keys = [(p.metric, p.step, p.logged_at, p.value) for p in entries.points]
        self.sent[run_id].update(dict.fromkeys(keys))

    def update(self, run_id: str, change: RunChange) -> Run:
        run = self.get(run_id)
        if change.name in {other.name for other in self.runs.values() if other.run_id != run_id}:
            raise NameTakenError
        self.changes.append(change)
        tags = {**run.tags, **change.tags}
        self.runs[run_id] = replace(
            run,
            state=change.state or run.state,
            ended_at=change.ended_at or run.ended_at,
            name=change.name or run.name,
            note=run.note if change.note is None else change.note,
            tags={key: value for key, value in tags.items() if value is not None},
            archived_at={None: run.archived_at, True: NOW, False: None}[change.is_archived],
        )
        return self.get(run_id)

    def points(
        self, run_id: str, metric: str, limit: int | None = None, offset: int = 0
    ) -> list[Point]:
        self.get(run_id)
        points = [Point(*key) for key in sorted(self.sent[run_id]) if key[0] == metric]
        return points[offset : None if limit is None else offset + limit]

    def search(
        self,
        project_ids: Sequence[int],
        conditions: Sequence[Condition] = (),
        order_by: Sequence[Order] = (),
        limit: int = 1000,
        offset: int = 0,
        archived: str = "active",
    ) -> list[Run]:
        self.searched = (
            list(project_ids),
            list(conditions),
            list(order_by),
            limit,
            offset,
            archived,
        )
        return [self.get(run_id) for run_id in self.runs][offset : offset + limit]


class FakeProjects:
    """Projects by id."""

    def __init__(self) -> None:
        self.projects = {0: Project(0, "Default", "mnist", {}, NOW, NOW, None)}
        self.searched: tuple[Any, ...] = ()

    def create(self, name: str, tags: Mapping[str, str] = NOTHING) -> Project:
        if name in {project.name for project in self.projects.values()}:
            raise NameTakenError
        project = Project(len(self.projects), name, "mnist", dict(tags), NOW, NOW, None)
        self.projects[project.id] = project
        return project

    def get(self, project_id: int) -> Project:
        if project_id not in self.projects:
            raise UnknownProjectError
        return self.projects[project_id]

    def get_by_name(self, name: str) -> Project:
        for project in self.projects.values():
            if project.name == name:
                return project
        raise UnknownProjectError

    def search(
        self,
        conditions: Sequence[Condition] = (),
        order_by: Sequence[Order] = (),
        limit: int = 1000,
        offset: int = 0,
        *,
        deleted: bool | None = False,
    ) -> list[Project]:
        self.searched = (list(conditions), list(order_by), limit, offset, deleted)
        return list(self.projects.values())[offset : offset + limit]

    def update(self, project_id: int, change: ProjectChange) -> Project:
        project = self.get(project_id)
        tags = {**project.tags, **change.tags}
        self.projects[project_id] = replace(
            project,
            name=change.name or project.name,
            tags={key: value for key, value in tags.items() if value is not None},
            deleted_at={None: project.deleted_at, True: NOW, False: None}[change.is_deleted],
        )
        return self.projects[project_id]


class FakeArtifacts:
    """Artifacts by run and path. Text is stored."""

    max_bytes = 1000

    def too_large(self) -> str:
        return "The file is too large."

    def __init__(self) -> None:
        self.artifacts: dict[tuple[str, str], ArtifactContent] = {}

    def put(self, run_id: str, path: str, content: bytes) -> Artifact:
        return self._keep(run_id, path, content, len(content), None)

    def note_refused(self, run_id: str, path: str, size: int, reason: str) -> Artifact:
        if "\n" in path:
            raise InvalidError("The path has a line break. Leave it out.")
        return self._keep(run_id, path, b"", size, reason)

    def list(self, run_id: str, path: str = "") -> list[Artifact]:
        return [
            found.artifact
            for (owner, name), found in sorted(self.artifacts.items())
            if owner == run_id and name.startswith(f"{path}/" if path else "")
        ]

    def read(self, run_id: str, path: str) -> ArtifactContent:
        found = self.artifacts.get((run_id, path))
        if found is None or found.artifact.refused is not None:
            raise UnknownArtifactError
        return found

    def _keep(
        self, run_id: str, path: str, content: bytes, size: int, reason: str | None
    ) -> Artifact:
        artifact = Artifact(path, "text/plain", size, reason, NOW)
        self.artifacts[run_id, path] = ArtifactContent(artifact, content)
        return artifact


class FakeModels:
    """Logged models by id."""

    def __init__(self) -> None:
        self.models: dict[str, LoggedModel] = {}

    def create(
        self,
        model_id: str,
        run_id: str,
        name: str,
        status: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> LoggedModel:
        model = LoggedModel(model_id, run_id, 0, name, status, params, tags, NOW, NOW)
        self.models[model_id] = model
        return model

    def get(self, model_id: str) -> LoggedModel:
        if model_id not in self.models:
            raise UnknownArtifactError
        return self.models[model_id]

    def search(
        self, project_ids: Sequence[int], wanted: Mapping[str, str], limit: int, offset: int
    ) -> list[LoggedModel]:
        found = [
            model
            for model in self.models.values()
            if model.project_id in project_ids and model.name == wanted.get("name", model.name)
        ]
        return found[offset : offset + limit]

    def update(
        self,
        model_id: str,
        status: str | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> LoggedModel:
        model = self.get(model_id)
        self.models[model_id] = replace(
            model,
            status=status or model.status,
            params={**model.params, **(params or {})},
            tags={**model.tags, **(tags or {})},
        )
        return self.models[model_id]


class FakeStores:
    """All fakes, and the routes over them."""

    def __init__(self) -> None:
        self.runs, self.projects = FakeRuns(), FakeProjects()
        self.artifacts, self.models = FakeArtifacts(), FakeModels()

    def routes(self) -> list[Route]:
        """Return the routes over these stores."""
        stores = Stores(
            cast("Database", None),
            cast("Folding", None),
            cast("Runs", self.runs),
            cast("Projects", self.projects),
            cast("Artifacts", self.artifacts),
        )
        return routes(stores, cast("LoggedModels", self.models))
