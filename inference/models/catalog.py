"""All models at one moment, and how a request names some of them.

Immutable: an answer is of one consistent state.
"""

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
NO_POINTERS: AliasTargets = {}


@dataclass(frozen=True)
class Unresolved:
    """A name in a request that no model has, and the error that says so."""

    name: str
    error: ServiceError


class ModelCatalog:
    """The models at one moment, by name and version."""

    def __init__(self, models: Iterable[ModelVersion]) -> None:
        self._all = tuple(sorted(models, key=lambda model: (model.name, model.version)))
        self._by_key = {(model.name, model.version): model for model in self._all}
        self._answering: dict[str, ModelVersion] = {}
        for (
            model
        ) in self._all:  # ascending versions: the newest that is READY stays, or else the newest
            if (
                model.state is State.READY
                or self._answering.get(model.name, model).state is not State.READY
            ):
                self._answering[model.name] = model

    def all(self) -> tuple[ModelVersion, ...]:
        """Return every version of every model, by name, then version."""
        return self._all

    def find(self, name: str, version: int | None = None) -> ModelVersion:
        """Return a version in whatever state.

        Without a version the newest that is READY, or else the newest.

        Raises UnknownExperimentError.
        """
        try:
            return self._answering[name] if version is None else self._by_key[name, version]
        except KeyError:
            raise _unknown(name in self._answering) from None

    def named(self, name: str) -> ModelVersion | None:
        """Return what answers to a bare name, None where there is none of it or where the name is
        an alias.
        """
        return None if name in (ALL, CHAMPION) else self._answering.get(name)

    def is_default(self, model: ModelVersion) -> bool:
        """Whether this version answers to the bare name."""
        answering = self._answering.get(model.name)
        return answering is not None and answering.version == model.version

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return every version of a model, oldest first. Raises UnknownExperimentError."""
        found = tuple(model for model in self._all if model.name == name)
        if not found:
            raise UnknownExperimentError
        return found

    def select(
        self, wanted: Sequence[str], pointers: AliasTargets = NO_POINTERS
    ) -> list[ModelVersion | Unresolved]:
        """Return the models that a request names, in its order and each once, and what it names in
        vain.

        A name is NAME, NAME@3, ALIAS (of every task that has it), TASK@ALIAS, NAME@ALIAS (that
        version if it is of NAME) or `all` (the newest READY version of each). `pointers` say where
        the aliases point. A task without a champion takes the best test accuracy. A model that is
        LOADING or FAILED is returned as such. Raises MalformedRequestError.
        """
        chosen: dict[object, ModelVersion | Unresolved] = {}
        for name in wanted:
            for each in self._resolved(name, pointers):
                chosen.setdefault(
                    each.name if isinstance(each, Unresolved) else (each.name, each.version), each
                )
        return list(chosen.values())

    # A return per form
    def _resolved(self, wanted: str, pointers: AliasTargets) -> Sequence[ModelVersion | Unresolved]:  # noqa: PLR0911
        if (named := self.named(wanted)) is not None:
            return [named]
        if wanted == ALL:
            return [model for model in self._answering.values() if model.state is State.READY]
        name, at, pin = wanted.partition("@")
        if not NAME_PATTERN.fullmatch(name) or (at and not PIN_PATTERN.fullmatch(pin)):
            raise MalformedRequestError(
                "An experiment is NAME, NAME@VERSION, NAME@ALIAS, TASK@ALIAS, an alias as champion, or all; NAME is 1 to 128 of "
                "A-Z a-z 0-9 _ . - and begins with a letter or digit."
            )
        try:
            if not at and (wanted == CHAMPION or any(alias == wanted for _, alias in pointers)):
                return self._aliased(wanted, pointers)
            if not at or pin.isdigit():
                return [self.find(name, int(pin) if at else None)]
            if name in self._answering:
                return [self._pinned(wanted, name, pin, pointers)]
            if name in self._tasks() or (name, pin) in pointers:
                return [self._pointed(name, pin, pointers)]
            raise UnknownExperimentError
        except UnknownExperimentError as error:
            return [Unresolved(wanted, error)]

    def _aliased(self, alias: str, pointers: AliasTargets) -> list[ModelVersion | Unresolved]:
        """Return what an alias points to in each task that has it. Raises UnknownExperimentError."""
        tasks = {task for task, each in pointers if each == alias}
        if alias == CHAMPION:
            tasks |= {task for task in self._tasks() if self._best_of(task) is not None}
        if not tasks:
            raise UnknownExperimentError(
                "There is no champion: no READY model states its metrics.test_accuracy in its card.json."
            )
        return [self._pointed(task, alias, pointers) for task in sorted(tasks)]

    def _pointed(self, task: str, alias: str, pointers: AliasTargets) -> ModelVersion | Unresolved:
        """Return what an alias of a task points to.

        Raises UnknownExperimentError when there is no such alias.
        """
        target = pointers.get((task, alias))
        if target is None:
            best = self._best_of(task) if alias == CHAMPION else None
            if best is None:
                raise UnknownExperimentError(
                    "The task has no such alias; GET /api/v1.0/aliases lists those that there are."
                )
            return best
        words = f"The alias {alias} of the task {task} points to {target.experiment_name}@{target.version}"
        model = self._by_key.get((target.experiment_name, target.version))
        error: ServiceError
        if model is None:
            error = UnknownExperimentError(
                f"{words}, which is no more served; PUT /api/v1.0/aliases/{task}/{alias} moves it."
            )
        elif model.state is State.READY:
            return model
        elif model.state is State.LOADING:
            error = ModelNotReadyError(
                f"{words}, which is being loaded; try again in a few seconds."
            )
        else:
            error = ModelFailedError(
                f"{words}, which has failed; GET /api/v1.0/models says why, and PUT /api/v1.0/aliases moves it."
            )
        return Unresolved(f"{task}@{alias}", error)

    def _pinned(
        self, wanted: str, name: str, alias: str, pointers: AliasTargets
    ) -> ModelVersion | Unresolved:
        """Return the version of a model to which an alias points.

        Raises UnknownExperimentError, also when it points elsewhere.
        """
        tasks = {model.task for model in self.versions(name)}
        targets = {
            task: pointers[task, alias] for task in sorted(tasks) if (task, alias) in pointers
        }
        for task, target in targets.items():
            if target.experiment_name == name:
                found = self._pointed(task, alias, pointers)
                return Unresolved(wanted, found.error) if isinstance(found, Unresolved) else found
        if targets:
            task, target = next(iter(targets.items()))
            raise UnknownExperimentError(
                f"The alias {alias} of the task {task} points to {target.experiment_name}@{target.version}."
            )
        if alias != CHAMPION:
            raise UnknownExperimentError(
                "There is no such alias; GET /api/v1.0/aliases lists those that there are."
            )
        champion = _best(self.versions(name))
        if champion is None:
            raise UnknownExperimentError(
                "It has no champion: none of its READY versions states its metrics.test_accuracy in its card.json."
            )
        return champion

    def _tasks(self) -> set[str]:
        return {model.task for model in self._answering.values()}

    def _best_of(self, task: str) -> ModelVersion | None:
        return _best(model for model in self._answering.values() if model.task == task)


def _best(models: Iterable[ModelVersion]) -> ModelVersion | None:
    """Return the READY model with the best test accuracy, the first of equals, or None when none
    states one.
    """
    ready = [
        model for model in models if model.state is State.READY and model.test_accuracy is not None
    ]
    return max(ready, key=lambda model: model.test_accuracy or 0.0, default=None)


# The one argument of a private function
def _unknown(has_versions: bool) -> UnknownExperimentError:  # noqa: FBT001
    return (
        UnknownExperimentError("The model has no such version; GET /api/v1.0/models lists them.")
        if has_versions
        else UnknownExperimentError()
    )
