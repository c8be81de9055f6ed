"""GET /models: every version of every model, with its state, format and card."""

from dataclasses import asdict

from inference.api import validation
from inference.errors import Document
from inference.models.aliases import Aliases
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion
from inference.prediction.resolver import ModelResolver

CARD_PARTS = ("parameters", "config", "metrics", "data", "code", "run")


class ModelsApi:
    """The operations of the resource /models."""

    def __init__(self, models: ModelRepository, aliases: Aliases, resolver: ModelResolver) -> None:
        self._models = models
        self._aliases = aliases
        self._resolver = resolver

    def list_models(self) -> Document:
        """Return every version of every model."""
        return {"models": [self._summary(version) for version in self._models.snapshot().all()]}

    def get_model(self, experiment_name: str) -> Document:
        """Return the version of a name, version or alias: for a bare name, its default version.

        Raises ServiceError.
        """
        return self._detail(self._resolver.find(experiment_name))

    def get_model_version(self, experiment_name: str, version: int) -> Document:
        """Return one version of a model. Raises UnknownExperimentError."""
        return self._detail(self._models.snapshot().find(validation.name(experiment_name), version))

    def _detail(self, version: ModelVersion) -> Document:
        card = version.card
        parts = card and {part: getattr(card, part) for part in CARD_PARTS}
        return {**self._summary(version), "card": parts}

    def _summary(self, version: ModelVersion) -> Document:
        return {
            "name": version.name,
            "version": version.version,
            "default": self._models.snapshot().is_default(version),
            "aliases": self._aliases.aliases_of(version.name, version.version),
            "state": version.state.value,
            "reason": version.reason,
            "digest": version.digest,
            "format": "litert",
            "task": version.task,
            "classes": list(version.classes),
            "input": asdict(version.input),
            "output": version.output,
            "bytes": version.bytes,
            "loaded": version.is_loaded,
            "memory_bytes": version.memory_bytes,
            "test_accuracy": version.test_accuracy,
            "parity": asdict(version.parity) if version.parity else None,
            "probe": version.probe.document() if version.probe else None,
            "update": asdict(version.update) if version.update else None,
        }
