"""Domain of runs: what clients log, change and search. Data only, no SQL and no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

Source = Literal["csv", "api", "mlflow", "pipeline"]
State = Literal["running", "finished", "failed", "killed"]
Field = Literal["attribute", "metric", "param", "tag"]
Operator = Literal["=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL"]
# Names of attributes in conditions and orders.
Attribute = Literal[
    "run_id", "name", "source", "state", "owner", "started_at", "ended_at", "created_at"
]

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
DEFAULT_PROJECT: Final = 0
MAX_POINTS = 10_000  # of one request
MAX_PARAMS = MAX_TAGS = 1_000  # of one run
MAX_KEY = 250  # characters of the name of a metric, parameter or tag
MAX_PARAM_VALUE = 6_000
MAX_TAG_VALUE = 8_000
MAX_NOTE = 100_000
MAX_OWNER = 250


@dataclass(frozen=True)
class Point:
    """A value of a metric, as the client sent it. `logged_at` is in milliseconds since 1970.

    `value` may be NaN or infinite.
    """

    metric: str
    step: int
    logged_at: int
    value: float


@dataclass(frozen=True)
class NewRun:
    """A run to create.

    `name` has to be a valid name of an experiment; a taken one gets `_2`, `_3` and so on. The same
    `run_id`, or the same `creation_key`, creates no second run. `task` is by default the one of
    the project.
    """

    name: str
    source: Source
    run_id: str | None = None
    creation_key: str | None = None
    project_id: int = DEFAULT_PROJECT
    task: str | None = None
    owner: str | None = None
    note: str = ""
    started_at: datetime | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """An experiment. `params` are as sent; `latest` has the last point of each metric as sent.

    The last point is the highest one by step, then time, then value. `learning_rate`, `momentum`
    and `metrics` are derived, with the names of the house. A row of a CSV file has no project, its
    `params` are its columns, and its `latest` are the ends of its curves. `project` is the
    name of the project. `note_author` is the author of the current note, `tags_author` of the last
    change of the tags; None if unknown.
    """

    id: int
    run_id: str
    name: str
    task: str
    source: Source
    state: State
    project_id: int | None
    owner: str | None
    note: str
    note_revision: int
    tags: Mapping[str, str]
    learning_rate: float | None
    momentum: float | None
    metrics: Mapping[str, float]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    silent_since: datetime | None
    archived_at: datetime | None
    project: str | None = None
    note_author: str | None = None
    tags_author: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    latest: Mapping[str, Point] = field(default_factory=dict)


@dataclass(frozen=True)
class CreatedRun:
    """A run, and whether this request created it."""

    run: Run
    is_new: bool


@dataclass(frozen=True)
class Entries:
    """What one request logs: stored all or not at all. Tags replace earlier values."""

    points: Sequence[Point] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunChange:
    """Changes of a run; None leaves a field as it is. A tag with None is removed.

    `note_revision` is the revision that the client read; None replaces any note. `author` is
    stored with a rename, with the note and with the tags.
    """

    state: State | None = None
    ended_at: datetime | None = None
    name: str | None = None
    owner: str | None = None
    note: str | None = None
    note_revision: int | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    is_archived: bool | None = None
    author: str = ""


@dataclass(frozen=True)
class Condition:
    """One comparison of a search; all of a search must hold.

    `key` is an Attribute, or the name of a metric (as sent), parameter or tag. `value` is a number
    for metrics, a datetime for times, a list of texts for IN and NOT IN, else a text.
    """

    field: Field
    key: str
    operator: Operator
    value: float | str | datetime | Sequence[str] | None = None


@dataclass(frozen=True)
class Order:
    """One key of the order of a search. Runs without the value come last."""

    field: Field
    key: str
    is_descending: bool = False


@dataclass(frozen=True)
class Project:
    """A group of runs: an experiment of MLflow."""

    id: int
    name: str
    task: str
    tags: Mapping[str, str]
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True)
class ProjectChange:
    """Changes of a project; None leaves a field as it is. A tag with None is removed."""

    name: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    is_deleted: bool | None = None


@dataclass(frozen=True)
class Artifact:
    """A file that a run logged. `refused` is the reason why its content was not stored."""

    path: str
    media_type: str
    size: int
    refused: str | None
    stored_at: datetime


@dataclass(frozen=True)
class ArtifactContent:
    """A stored file with its content."""

    artifact: Artifact
    content: bytes
