"""Model catalog: an immutable snapshot of all models, and the resolution of names in requests."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference.errors import (
    MalformedRequestError,
    ModelFailedError,
    ModelNotReadyError,
    ServiceError,
    UnknownExperimentError,
)
from inference.model_format.layout import NAME_PATTERN
from inference.models.aliases import AliasTargets
from inference.models.version import ModelVersion, State

ALL, CHAMPION = "all", "champion"
ALIAS_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
PIN_PATTERN = re.compile(rf"[0-9]{{1,9}}|{ALIAS_PATTERN.pattern}")
NO_ALIASES: AliasTargets = {}


@dataclass(frozen=True)
class Unresolved:
    """A name in a request without a usable model, and the error to report."""

    name: str
    error: ServiceError


class ModelCatalog:
    """All models at one moment, by name and version."""

    def __init__(self, models: Iterable[ModelVersion]) -> None:
        self._all = tuple(sorted(models, key=lambda model: (model.name, model.version)))
        self._by_key = {(model.name, model.version): model for model in self._all}
        # The newest READY version of each name, or else the newest.
        self._defaults: dict[str, ModelVersion] = {}
        for model in self._all:  # in ascending order of versions
            default = self._defaults.get(model.name, model)
            if model.state is State.READY or default.state is not State.READY:
                self._defaults[model.name] = model

    def all(self) -> tuple[ModelVersion, ...]:
        """Return every version of every model, by name, then version."""
        return self._all

    def find(self, name: str, version: int | None = None) -> ModelVersion:
        """Return a version in any state.

        Without a version, return the newest READY one, or else the newest. Raises
        UnknownExperimentError.
        """
        try:
            return self._defaults[name] if version is None else self._by_key[name, version]
        except KeyError:
            raise _unknown(has_versions=name in self._defaults) from None

    def default_version(self, name: str) -> ModelVersion | None:
        """Return the version behind a bare name, or None if it is unknown or an alias."""
        return None if name in (ALL, CHAMPION) else self._defaults.get(name)

    def is_default(self, model: ModelVersion) -> bool:
        """Return whether the bare name stands for this version."""
        default = self._defaults.get(model.name)
        return default is not None and default.version == model.version

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return every version of a model, oldest first. Raises UnknownExperimentError."""
        found = tuple(model for model in self._all if model.name == name)
        if not found:
            raise UnknownExperimentError
        return found

    def select(
        self, wanted: Sequence[str], alias_targets: AliasTargets = NO_ALIASES
    ) -> list[ModelVersion | Unresolved]:
        """Return the models that a request names, in its order and without duplicates.

        A name is NAME, NAME@3, ALIAS (in every task that has it), TASK@ALIAS, NAME@ALIAS (if it
        points to a version of NAME) or `all` (the newest READY version of each name). A task
        without an alias champion uses its READY model with the best test accuracy. LOADING and
        FAILED models are returned as such. Raises MalformedRequestError.
        """
        selected: dict[object, ModelVersion | Unresolved] = {}
        for name in wanted:
            for model in self._resolve(name, alias_targets):
                key = (model.name, model.version) if isinstance(model, ModelVersion) else model.name
                selected.setdefault(key, model)
        return list(selected.values())

    def _resolve(  # noqa: PLR0911  # a return per form of a name
        self, wanted: str, alias_targets: AliasTargets
    ) -> Sequence[ModelVersion | Unresolved]:
        if (default := self.default_version(wanted)) is not None:
            return [default]
        if wanted == ALL:
            return [model for model in self._defaults.values() if model.state is State.READY]
        name, at, pin = wanted.partition("@")
        if not NAME_PATTERN.fullmatch(name) or (at and not PIN_PATTERN.fullmatch(pin)):
            raise MalformedRequestError(
                "The experiment name is malformed. It must be NAME, NAME@VERSION, NAME@ALIAS, "
                "TASK@ALIAS, an alias such as champion, or all. NAME is 1 to 128 of "
                "A-Z a-z 0-9 _ . - and begins with a letter or digit."
            )
        try:
            if not at and (
                wanted == CHAMPION or any(alias == wanted for _, alias in alias_targets)
            ):
                return self._alias_in_all_tasks(wanted, alias_targets)
            if not at or pin.isdigit():
                return [self.find(name, int(pin) if at else None)]
            if name in self._defaults:
                return [self._alias_of_model(wanted, name, pin, alias_targets)]
            if name in self._tasks() or (name, pin) in alias_targets:
                return [self._alias_in_task(name, pin, alias_targets)]
            raise UnknownExperimentError
        except UnknownExperimentError as error:
            return [Unresolved(wanted, error)]

    def _alias_in_all_tasks(
        self, alias: str, alias_targets: AliasTargets
    ) -> list[ModelVersion | Unresolved]:
        """Return the target of an alias in each task. Raises UnknownExperimentError."""
        tasks = {task for task, name in alias_targets if name == alias}
        if alias == CHAMPION:
            tasks |= {task for task in self._tasks() if self._best_in_task(task) is not None}
        if not tasks:
            raise UnknownExperimentError(
                "No model is champion: no READY model that reads the probe digits has a "
                "metrics.test_accuracy in its card.json. Point the alias champion to a model."
            )
        return [self._alias_in_task(task, alias, alias_targets) for task in sorted(tasks)]

    def _alias_in_task(
        self, task: str, alias: str, alias_targets: AliasTargets
    ) -> ModelVersion | Unresolved:
        """Return the target of an alias in a task.

        Raises UnknownExperimentError when the task has no such alias.
        """
        target = alias_targets.get((task, alias))
        if target is None:
            best = self._best_in_task(task) if alias == CHAMPION else None
            if best is None:
                raise UnknownExperimentError(
                    "The task has no such alias. See GET /api/v1.0/aliases for its aliases."
                )
            return best
        model = self._by_key.get((target.experiment_name, target.version))
        if model is not None and model.state is State.READY:
            return model
        link = (
            f"The alias {alias} of the task {task} points to "
            f"{target.experiment_name}@{target.version}"
        )
        move = f"move the alias by PUT /api/v1.0/aliases/{task}/{alias}."
        error: ServiceError
        if model is None:
            error = UnknownExperimentError(f"{link}, which is no longer served. To fix it, {move}")
        elif model.state is State.LOADING:
            error = ModelNotReadyError(f"{link}, which is loading. Try again in a few seconds.")
        else:
            error = ModelFailedError(
                f"{link}, which has failed. See GET /api/v1.0/models for the reason, or {move}"
            )
        return Unresolved(f"{task}@{alias}", error)

    def _alias_of_model(
        self, wanted: str, name: str, alias: str, alias_targets: AliasTargets
    ) -> ModelVersion | Unresolved:
        """Return the version of a model that an alias points to.

        Raises UnknownExperimentError, also when the alias points to another model.
        """
        tasks = {model.task for model in self.versions(name)}
        targets = {
            task: alias_targets[task, alias]
            for task in sorted(tasks)
            if (task, alias) in alias_targets
        }
        for task, target in targets.items():
            if target.experiment_name == name:
                found = self._alias_in_task(task, alias, alias_targets)
                return Unresolved(wanted, found.error) if isinstance(found, Unresolved) else found
        if targets:
            task, target = next(iter(targets.items()))
            raise UnknownExperimentError(
                f"The alias {alias} of the task {task} points to "
                f"{target.experiment_name}@{target.version}. Ask for that model instead."
            )
        if alias != CHAMPION:
            raise UnknownExperimentError(
                "Unknown alias. See GET /api/v1.0/aliases for the existing aliases."
            )
        champion = _best(self.versions(name))
        if champion is None:
            raise UnknownExperimentError(
                "The model has no champion: none of its READY versions that read the probe digits "
                "has a metrics.test_accuracy in its card.json. Ask for a version by number."
            )
        return champion

    def _tasks(self) -> set[str]:
        return {model.task for model in self._defaults.values()}

    def _best_in_task(self, task: str) -> ModelVersion | None:
        return _best(model for model in self._defaults.values() if model.task == task)


def _best(models: Iterable[ModelVersion]) -> ModelVersion | None:
    """Return the READY model with the best test accuracy, the first of equals.

    A model that reads too few probe digits is left out. Return None when no card gives a test
    accuracy. The SQL function first_champions (db/migrations/0012_probe.sql) applies the same rule
    when it sets a task's first alias: change both together.
    """
    ready = [
        model
        for model in models
        if model.state is State.READY
        and model.test_accuracy is not None
        and (model.probe is None or model.probe.passed is not False)
    ]
    return max(ready, key=lambda model: model.test_accuracy or 0.0, default=None)


def _unknown(*, has_versions: bool) -> UnknownExperimentError:
    return UnknownExperimentError(
        "Unknown version. See GET /api/v1.0/models for the versions of this model."
        if has_versions
        else None
    )
