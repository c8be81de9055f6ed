"""Model resolution: names, versions and aliases of a request to loaded models."""

from collections.abc import Sequence

from inference.errors import (
    MalformedRequestError,
    ModelNotReadyError,
    ServiceError,
    UnknownExperimentError,
)
from inference.models.catalog import ALL, Unresolved
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion
from inference.prediction.results import LoadedModel, ModelSelection, UnavailableModel

SEVERAL = (
    "The name stands for several models, and this operation takes one. "
    "Use TASK@champion, such as mnist@champion, or POST /predictions for many."
)


class ModelResolver:
    """Resolves requested names against the model repository.

    Where one model is asked for, an alias of several tasks means that of `default_task`.
    """

    def __init__(self, repository: ModelRepository, default_task: str = "") -> None:
        self._repository = repository
        self._default_task = default_task

    def resolve(self, name: str, *, loaded: bool = False) -> LoadedModel:
        """Return the one model of a name, version or alias.

        With `loaded`, a model whose file would have to be read first counts as not ready. Raises
        ServiceError.
        """
        version = self._repository.snapshot().default_version(name)  # the common case: a bare name
        if version is not None:
            if loaded:
                return _load(version, loaded=True)
            return LoadedModel(*self._repository.resolve(name))
        return _load(self._target(name), loaded=loaded)

    def find(self, name: str) -> ModelVersion:
        """Return the version of a name, version or alias.

        It is in any state, but an alias's target that is not READY is an error, which names it.
        Raises ServiceError.
        """
        version = self._repository.snapshot().default_version(name)
        return self._target(name) if version is None else version

    def _target(self, name: str) -> ModelVersion:
        targets = self._repository.select([name])
        if name != ALL:
            targets = [one for one in targets if _task(one) == self._default_task] or targets
        found, *others = targets
        if others:
            raise MalformedRequestError(SEVERAL)
        if isinstance(found, Unresolved):
            raise found.error
        return found

    def select(self, names: Sequence[str], *, loaded: bool = False) -> ModelSelection:
        """Return the models of several names, versions and aliases, in order.

        With `loaded`, a model whose file would have to be read first counts as unavailable. Raises
        the first model's ServiceError when no model is available.
        """
        models = [_try_load(found, loaded=loaded) for found in self._repository.select(names)]
        if not any(isinstance(model, LoadedModel) for model in models):
            raise next(
                (model.problem for model in models if isinstance(model, UnavailableModel)),
                UnknownExperimentError("No model is ready. See GET /api/v1.0/models."),
            )
        return ModelSelection(models)


def _task(target: ModelVersion | Unresolved) -> str:
    """Return the task of an alias's target; without its model, its name is TASK@ALIAS."""
    return target.task if isinstance(target, ModelVersion) else target.name.partition("@")[0]


def _load(version: ModelVersion, *, loaded: bool) -> LoadedModel:
    if not loaded:
        return LoadedModel(*version.resolve())
    network = version.resident.loaded_network() if version.resident is not None else None
    if network is None:
        raise ModelNotReadyError
    return LoadedModel(version, network)


def _try_load(found: ModelVersion | Unresolved, *, loaded: bool) -> LoadedModel | UnavailableModel:
    if isinstance(found, Unresolved):
        return UnavailableModel(found.name, found.error)
    try:
        return _load(found, loaded=loaded)
    except ServiceError as problem:
        return UnavailableModel(found.name, problem)
