"""Voters of the Predict page: the champion of each task, and models that do not vote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from web.data.api_types import Model, ModelVersion
from web.data.consensus import find_unfit
from web.sources import Sources
from web.tables.model_registry import CHAMPION


@dataclass(frozen=True)
class Voters:
    """Models to ask, and what their answers count.

    Attributes:
        models: models to ask, the champions first.
        champions: task -> name of its champion in the answers.
        unfit: name of a model that does not vote -> reason.

    """

    models: tuple[Model, ...]
    champions: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)


def find_voters(sources: Sources, selected: Sequence[Model]) -> Voters:
    """Return the selected models and the champions of their tasks, which need no selection.

    Without the registry or the database, the selected models are asked, and all of them vote.
    """
    tasks = list(dict.fromkeys(model.task for model in selected))
    champions = {
        version.task: version
        for version in sources.versions().value or ()
        if CHAMPION in version.aliases and version.state == "READY" and version.task in tasks
    }
    chosen = {model.name: model for model in selected}
    first = [
        chosen.get(version.short_name) or _as_model(version)
        for version in (champions[task] for task in tasks if task in champions)
    ]
    models = tuple({model.name: model for model in (*first, *selected)}.values())
    return Voters(
        models,
        {task: version.short_name for task, version in champions.items()},
        _find_unfit(sources, models),
    )


def _as_model(version: ModelVersion) -> Model:
    return Model(
        version.short_name,
        version.state,
        version.reason,
        version.digest,
        version.task,
        version.classes,
    )


def _find_unfit(sources: Sources, models: Sequence[Model]) -> dict[str, str]:
    classes = {model.name: len(model.classes) for model in models if model.classes}
    runs = sources.runs(list(classes)).value
    if runs is None:
        return {}
    known = zip(runs["experiment"], runs["params"], runs["test_accuracy"], strict=True)
    reasons = {
        name: find_unfit((params or {}).get("outcome"), accuracy, classes[name])
        for name, params, accuracy in known
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
