"""All models at one moment, and how a request names some of them. Immutable: an answer is of one consistent state."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference.errors import MalformedRequest, ServiceError, UnknownExperiment
from inference.layout import NAME_PATTERN
from inference.model import Model, State

ALL, CHAMPION = "all", "champion"
PIN_PATTERN = re.compile(r"[0-9]{1,9}|[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Unresolved:
    """A name in a request that no model has, and the error that says so."""

    name: str
    error: ServiceError


class Catalogue:
    """The models at one moment, by name and version."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._all = tuple(sorted(models, key=lambda model: (model.name, model.version)))
        self._by_key = {(model.name, model.version): model for model in self._all}
        self._answering: dict[str, Model] = {}
        for model in self._all:  # ascending versions: the newest that is READY stays, or else the newest
            if model.state is State.READY or self._answering.get(model.name, model).state is not State.READY:
                self._answering[model.name] = model

    def all(self) -> tuple[Model, ...]:
        """Return every version of every model, by name, then version."""
        return self._all

    def find(self, name: str, version: int | None = None) -> Model:
        """Return a version in whatever state; without a version the newest that is READY, or else the newest.

        Raises UnknownExperiment.
        """
        try:
            return self._answering[name] if version is None else self._by_key[name, version]
        except KeyError:
            raise _unknown(name in self._answering) from None

    def named(self, name: str) -> Model | None:
        """Return what answers to a bare name, None where there is none of it or where the name is an alias."""
        return None if name in (ALL, CHAMPION) else self._answering.get(name)

    def is_default(self, model: Model) -> bool:
        """Whether this version answers to the bare name."""
        answering = self._answering.get(model.name)
        return answering is not None and answering.version == model.version

    def versions(self, name: str) -> tuple[Model, ...]:
        """Return every version of a model, oldest first. Raises UnknownExperiment."""
        found = tuple(model for model in self._all if model.name == name)
        if not found:
            raise UnknownExperiment
        return found

    def select(self, wanted: Sequence[str]) -> list[Model | Unresolved]:
        """Return the models that a request names, in its order and each once, and what it names in vain.

        A name is NAME, NAME@3, NAME@champion, `champion` (the best of each task) or `all` (the newest READY version of each).
        A model that is LOADING or FAILED is returned as such. Raises MalformedRequest.
        """
        chosen: dict[object, Model | Unresolved] = {}
        for name in wanted:
            for each in self._resolved(name):
                chosen.setdefault(each.name if isinstance(each, Unresolved) else (each.name, each.version), each)
        return list(chosen.values())

    def _resolved(self, wanted: str) -> Sequence[Model | Unresolved]:
        if (named := self.named(wanted)) is not None:
            return [named]
        if wanted == ALL:
            return [model for model in self._answering.values() if model.state is State.READY]
        name, at, pin = wanted.partition("@")
        if not NAME_PATTERN.fullmatch(name) or (at and not PIN_PATTERN.fullmatch(pin)):
            raise MalformedRequest(
                "An experiment is NAME, NAME@VERSION, NAME@champion, champion or all; NAME is 1 to 128 of A-Z a-z 0-9 _ . - "
                "and begins with a letter or digit."
            )
        try:
            return self._champions() if wanted == CHAMPION else [self._pinned(name, pin)]
        except UnknownExperiment as error:
            return [Unresolved(wanted, error)]

    def _pinned(self, name: str, pin: str) -> Model:
        if not pin or pin.isdigit():
            return self.find(name, int(pin) if pin else None)
        if pin != CHAMPION:
            raise UnknownExperiment("There is no such alias; champion is the one that there is.")
        champion = _best(self.versions(name))
        if champion is None:
            raise UnknownExperiment(
                "It has no champion: none of its READY versions states its metrics.test_accuracy in its card.json."
            )
        return champion

    def _champions(self) -> list[Model]:
        champions = {
            task: _best(model for model in self._answering.values() if model.task == task)
            for task in sorted({model.task for model in self._answering.values()})
        }
        found = [model for model in champions.values() if model is not None]
        if not found:
            raise UnknownExperiment("There is no champion: no READY model states its metrics.test_accuracy in its card.json.")
        return found


def _best(models: Iterable[Model]) -> Model | None:
    """Return the READY model with the best test accuracy, the first of equals, or None when none states one."""
    ready = [model for model in models if model.state is State.READY and model.test_accuracy is not None]
    return max(ready, key=lambda model: model.test_accuracy or 0.0, default=None)


def _unknown(has_versions: bool) -> UnknownExperiment:  # noqa: FBT001  # the one argument of a private function
    return (
        UnknownExperiment("The model has no such version; GET /api/v1.0/models lists them.")
        if has_versions
        else UnknownExperiment()
    )
