"""The operations over what the database keeps: predictions, labels, aliases, imports, originals.

One method per operationId.
"""

from typing import Any

from inference.api import validation
from inference.api.validation import MAX_VERSION
from inference.database.imports import Imports
from inference.database.predictions import Filter, History
from inference.errors import Document, MalformedRequestError
from inference.model_format.layout import NAME_PATTERN
from inference.models.catalog import ALIAS_PATTERN, ALL
from inference.models.promotion import Promotions
from inference.originals.reader import Original, Originals

MAX_LABEL, MAX_PERSON, MAX_REASON = 64, 100, 500  # characters
MAX_ID = 2**63 - 1
WORD = "a word of a-z 0-9 _ -, 1 to 32 long, that begins with a letter"


class Records:
    """The operations, over what they need."""

    def __init__(
        self, history: History, promotions: Promotions, imports: Imports, originals: Originals
    ) -> None:
        self._history = history
        self._promotions = promotions
        self._imports = imports
        self._originals = originals

    def list_predictions(
        self,
        limit: int = 50,
        cursor: str | None = None,
        experiment_name: str | None = None,
        since: str | None = None,
        until: str | None = None,
        # Connexion gives every parameter by its name
        disagreement: bool | None = None,  # noqa: FBT001
        corrected: bool | None = None,  # noqa: FBT001
        wrong: bool | None = None,  # noqa: FBT001
        **named: str,
    ) -> Document:
        """Return a page of predictions, latest first; `class` is among `named`.

        Raises MalformedRequestError and DatabaseUnavailableError.
        """
        name, version = _pinned(experiment_name) if experiment_name is not None else (None, None)
        label = named.get("class")
        wanted = Filter(
            name,
            version,
            validation.text(named, "class", MAX_LABEL) if label is not None else None,
            validation.time(since, "since") if since is not None else None,
            validation.time(until, "until") if until is not None else None,
            disagreement,
            corrected,
            wrong,
        )
        found, after = self._history.page(wanted, limit, cursor)
        return {"predictions": found, "next": after}

    def get_prediction(self, prediction_id: str) -> Document:
        """Return one prediction with its image, labels and latest events.

        Raises the errors that openapi.yaml names.
        """
        return self._history.one(validation.identity(prediction_id, "prediction_id"))

    def label_prediction(self, prediction_id: str, document: Any) -> Document:
        """Store what a person says that a prediction's image shows.

        Raises the errors that openapi.yaml names.
        """
        prediction_id = validation.identity(prediction_id, "prediction_id")
        validation.record(document, ("label", "labelled_by", "replaces"))
        label, labelled_by = (
            validation.text(document, "label", MAX_LABEL),
            validation.text(document, "labelled_by", MAX_PERSON),
        )
        replaces = (
            validation.text(document, "replaces", MAX_LABEL)
            if document.get("replaces") is not None
            else None
        )
        return self._history.label(prediction_id, label, labelled_by, replaces)

    def list_aliases(self) -> Document:
        """Return where each alias points. Raises DatabaseUnavailableError."""
        return {"aliases": self._promotions.all()}

    def get_alias(self, task: str, alias: str) -> Document:
        """Return where an alias points, and its moves. Raises the errors that openapi.yaml names."""
        return self._promotions.one(*_alias(task, alias))

    def move_alias(self, task: str, alias: str, document: Any) -> Document:
        """Point an alias to a version. Raises the errors that openapi.yaml names."""
        task, alias = _alias(task, alias)
        validation.record(document, ("experiment_name", "version", "reason", "moved_by"))
        name = validation.matched(
            validation.text(document, "experiment_name", 128),
            NAME_PATTERN,
            "experiment_name",
            "the name of a model",
        )
        version = validation.version(document, "version")
        moved_by, reason = (
            validation.text(document, "moved_by", MAX_PERSON),
            validation.text(document, "reason", MAX_REASON),
        )
        return self._promotions.move(task, alias, name, version, moved_by, reason)

    def roll_alias_back(self, task: str, alias: str, document: Any) -> Document:
        """Point an alias to where it pointed before. Raises the errors that openapi.yaml names."""
        task, alias = _alias(task, alias)
        validation.record(document, ("reason", "moved_by"))
        moved_by, reason = (
            validation.text(document, "moved_by", MAX_PERSON),
            validation.text(document, "reason", MAX_REASON),
        )
        return self._promotions.roll_back(task, alias, moved_by, reason)

    def list_imports(self, limit: int = 50, cursor: int = 0) -> Document:
        """Return the latest import of each file, and a page of the rejects that stand.

        Raises DatabaseUnavailableError.
        """
        rejects, after = self._imports.rejects(limit, min(cursor, MAX_ID))
        return {"imports": self._imports.latest(), "rejects": rejects, "next": after}

    def get_image(self, image_digest: str) -> Original:
        """Return an original. Raises the errors that openapi.yaml names."""
        return self._originals.one(validation.digest(image_digest, "image_digest"))


def _pinned(wanted: str) -> tuple[str, int | None]:
    """Return the name and version that NAME or NAME@3 names. Raises MalformedRequestError."""
    name, at, pin = wanted.partition("@")
    is_version = pin.isascii() and pin.isdigit() and len(pin) < len(str(MAX_VERSION))
    if not NAME_PATTERN.fullmatch(name) or (at and not is_version):
        raise MalformedRequestError("experiment_name is NAME or NAME@VERSION.", "experiment_name")
    return name, int(pin) if at else None


def _alias(task: str, alias: str) -> tuple[str, str]:
    """Return the names of a task and an alias. Raises MalformedRequestError."""
    validation.matched(task, ALIAS_PATTERN, "task", WORD)
    validation.matched(alias, ALIAS_PATTERN, "alias", WORD)
    if alias == ALL:
        raise MalformedRequestError("all is no alias: it names every model.", "alias")
    return task, alias
