"""/aliases: where aliases such as mnist@champion point, moves and rollbacks."""

from typing import Any

from inference.api import validation
from inference.api.validation import MAX_PERSON, MAX_REASON
from inference.errors import Document
from inference.models.promotion import Promotions


class AliasesApi:
    """The operations of the resource /aliases."""

    def __init__(self, promotions: Promotions) -> None:
        self._promotions = promotions

    def list_aliases(self) -> Document:
        """Return the target of each alias. Raises DatabaseUnavailableError."""
        return {"aliases": self._promotions.all()}

    def get_alias(self, task: str, alias: str) -> Document:
        """Return an alias's target and its moves."""
        return self._promotions.get(*validation.alias(task, alias))

    def move_alias(self, task: str, alias: str, document: Any) -> Document:
        """Point an alias to a version of a model."""
        task, alias = validation.alias(task, alias)
        validation.record(document, ("experiment_name", "version", "reason", "moved_by"))
        name = validation.name(validation.text(document, "experiment_name", 128))
        version = validation.version(document, "version")
        moved_by = validation.text(document, "moved_by", MAX_PERSON)
        reason = validation.text(document, "reason", MAX_REASON)
        return self._promotions.move(task, alias, name, version, moved_by, reason)

    def roll_alias_back(self, task: str, alias: str, document: Any) -> Document:
        """Point an alias to its previous target."""
        task, alias = validation.alias(task, alias)
        validation.record(document, ("reason", "moved_by"))
        moved_by = validation.text(document, "moved_by", MAX_PERSON)
        reason = validation.text(document, "reason", MAX_REASON)
        return self._promotions.roll_back(task, alias, moved_by, reason)
