"""Scored models: experiments, versions and aliases of a request to READY models of a task.

Names are resolved as the service does, by its own repository and catalog.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import MalformedRequestError, ServiceError
from inference.models.alias_sync import ALIASES
from inference.models.aliases import AliasTargets, Target
from inference.models.catalog import Unresolved
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion, State
from pipeline.database import Database
from pipeline.scale.chunk import NetworkSpec

MEMORY_BYTES = 192 * 2**20  # of networks while names are resolved
LOADING_SECONDS = 600.0  # for models that are compiled first
POLL_SECONDS = 0.2


class UnusableRequestError(Exception):
    """A scoring cannot run as requested. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class ScoredModel:
    """A model version, its network by content, and its estimated seconds for one image.

    `digest` is that of the version: sha256 (hex) of model.keras, or of model.tflite without one.
    """

    experiment_name: str
    version: int
    digest: str
    labels: tuple[str, ...]
    network: NetworkSpec
    flatbuffer: bytes
    seconds_per_image: float

    @property
    def column(self) -> str:
        """Name of the model in the columns of the result."""
        return f"{self.experiment_name}@{self.version}"


@dataclass(frozen=True)
class UnavailableModel:
    """A requested name without a usable model, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """The models of a request, in its order, and the names that have none."""

    models: tuple[ScoredModel, ...]
    unavailable: tuple[UnavailableModel, ...]


def read_aliases(database: Database) -> AliasTargets:
    """Return the targets of all aliases. Raises psycopg2.Error."""
    return {
        (row["task"], row["alias"]): Target(row["experiment_name"], row["version"], row["event_id"])
        for row in database.query(ALIASES)
    }


def select_models(
    models_dir: Path,
    compiled_dir: Path,
    names: Sequence[str],
    task: str,
    alias_targets: AliasTargets,
    on_wait: Callable[[], None],
) -> Selection:
    """Return the models that names stand for in a task.

    A name is NAME, NAME@3, an alias such as champion, TASK@ALIAS, NAME@ALIAS or `all`. Models that
    are loading or compiled are waited for; `on_wait` is called meanwhile. Raises
    UnusableRequestError if no name has a usable model.
    """
    repository = ModelRepository(models_dir, compiled_dir, MEMORY_BYTES, lambda: alias_targets)
    repository.load()
    try:
        _wait_until_loaded(repository, names, on_wait)
        models: dict[tuple[str, int], ScoredModel] = {}
        unavailable: dict[str, UnavailableModel] = {}
        for name in names:
            for found in _select(repository, name, task):
                if isinstance(found, UnavailableModel):
                    unavailable[found.name] = found
                else:
                    models.setdefault((found.experiment_name, found.version), found)
    finally:
        repository.close()
    if not models:
        reasons = " ".join(f"{one.name}: {one.reason}" for one in unavailable.values())
        raise UnusableRequestError(
            f"No model of the task {task} can score. {reasons or 'Publish one.'}"
        )
    return Selection(tuple(models.values()), tuple(unavailable.values()))


def _wait_until_loaded(
    repository: ModelRepository, names: Sequence[str], on_wait: Callable[[], None]
) -> None:
    """Wait until no model that a name may stand for is loading, or for LOADING_SECONDS."""
    bases = {name.partition("@")[0] for name in names}
    deadline = time.monotonic() + LOADING_SECONDS
    while time.monotonic() < deadline:
        models = repository.snapshot().all()
        may_be_any = not bases <= {model.name for model in models}  # an alias, or all
        if not any(
            model.state is State.LOADING and (may_be_any or model.name in bases) for model in models
        ):
            return
        on_wait()
        time.sleep(POLL_SECONDS)


def _select(
    repository: ModelRepository, name: str, task: str
) -> list[ScoredModel | UnavailableModel]:
    """Return the models of the task that a name stands for.

    `all` and an alias stand for models of several tasks: those of others are left out.
    """
    try:
        found = repository.select([name])
    except MalformedRequestError as error:
        return [UnavailableModel(name, error.detail)]
    wanted = [one for one in found if _task(one, name) in ("", task)]
    is_collective = "@" not in name and all(one.name != name for one in found)
    if not wanted and not is_collective:
        return [UnavailableModel(name, f"It belongs to the task {_task(found[0], name)}.")]
    return [_load(name, one) for one in wanted]


def _task(found: ModelVersion | Unresolved, name: str) -> str:
    """Return the task of a model or of an alias that `name` stands for, empty if unknown."""
    if isinstance(found, ModelVersion):
        return found.task if found.card is not None else ""
    return found.name.partition("@")[0] if found.name != name else ""


def _load(name: str, found: ModelVersion | Unresolved) -> ScoredModel | UnavailableModel:
    if isinstance(found, Unresolved):
        return UnavailableModel(found.name, found.error.detail)
    try:
        version, network = found.resolve()
    except ServiceError as error:
        return UnavailableModel(name, found.reason or error.detail)
    return ScoredModel(
        version.name,
        version.version,
        version.digest or "",
        version.classes,
        NetworkSpec(
            hashlib.sha256(network.flatbuffer).hexdigest(),
            len(version.classes),
            version.input,
            version.output,
        ),
        network.flatbuffer,
        network.seconds_per_image,
    )
