"""Catalog: the models of the service by the names, versions and labels of the protocols."""

import re
from collections.abc import Mapping, Sequence

from inference.errors import MalformedRequestError, ModelFailedError, ModelNotReadyError
from inference.models.repository import ModelRepository
from inference.models.version import ModelVersion, State
from inference.prediction.resolver import ModelResolver

VERSION = re.compile(r"[0-9]{1,9}", re.ASCII)


class Catalog:
    """Finds models for the values in a path: `name`, and `version` or `label` if there is one."""

    def __init__(self, models: ModelRepository, resolver: ModelResolver) -> None:
        self._models = models
        self._resolver = resolver

    @staticmethod
    def pinned_name(values: Mapping[str, str]) -> str:
        """Return NAME, NAME@VERSION or NAME@ALIAS. Raises MalformedRequestError."""
        name, version, label = values["name"], values.get("version"), values.get("label")
        if version is not None and not VERSION.fullmatch(version):
            raise MalformedRequestError("A version must be a number of 1 to 9 digits.")
        pin = label if version is None else version
        return name if pin is None else f"{name}@{pin}"

    def all(self) -> Sequence[ModelVersion]:
        """Return every version of every model."""
        return self._models.snapshot().all()

    def versions(self, version: ModelVersion) -> Sequence[ModelVersion]:
        """Return every version of a version's model, oldest first."""
        return self._models.snapshot().versions(version.name)

    def find(self, values: Mapping[str, str]) -> ModelVersion:
        """Return a version in any state. Raises ServiceError."""
        return self._resolver.find(self.pinned_name(values))

    def find_ready(self, values: Mapping[str, str]) -> ModelVersion:
        """Return a version that is READY. Raises ServiceError."""
        version = self.find(values)
        if version.state is State.LOADING:
            raise ModelNotReadyError
        if version.state is State.FAILED:
            raise ModelFailedError
        return version
