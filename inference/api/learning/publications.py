"""POST /models/{experiment_name}: a model file, stored unread for a run that publishes it."""

import json
from http import HTTPStatus
from typing import Any

import orjson

from inference.api import validation
from inference.api.learning import fields
from inference.api.learning.responses import Located
from inference.api.learning.uploads import FILE_FIELD, MAX_FIELD_BYTES, own_name
from inference.database.learning.errors import RenamedExperimentError, StorageDownError
from inference.database.learning.run_requests import RunRequests
from inference.database.learning.runs import Runs
from inference.errors import InvalidValueError, MalformedRequestError
from inference.model_format.card import UNCOMPILED, Card, InvalidCardError
from inference.originals.store import OriginalStore, StorageUnavailableError
from inference.server.streamed_form import FormFields, StreamedForm

MAX_CARD_BYTES = 65_536
CARD, METRICS, FORCE = "card", "metrics", "force"
FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}
FORM = FormFields(
    FILE_FIELD,
    {
        CARD: MAX_CARD_BYTES,
        "by": MAX_FIELD_BYTES,
        "reason": MAX_FIELD_BYTES,
        FORCE: MAX_FIELD_BYTES,
    },
    "model.keras",
)
CARD_KEYS = tuple(Card.__dataclass_fields__)
SEE_CARD = "See the model card in doc/api.md."


class PublicationsApi:
    """The operation publish_model."""

    def __init__(self, requests: RunRequests, runs: Runs, store: OriginalStore) -> None:
        self._requests = requests
        self._runs = runs
        self._store = store

    def store(self, name: str, form: StreamedForm) -> Located:
        """Store a file by its digest and start a run that publishes it, or join an equal one.

        The file's content is not looked at. Raises MalformedRequestError, InvalidValueError,
        RenamedExperimentError, StorageDownError and DatabaseUnavailableError.
        """
        card, force = read_card(form.fields.get(CARD, "")), _flag(form.fields.get(FORCE, ""))
        author = fields.author(dict(form.fields))
        if not form.bytes:
            raise InvalidValueError("The file is empty. Send a model.", FILE_FIELD)
        current = self._requests.current_name(name)
        if current is not None:
            raise RenamedExperimentError(
                f"The experiment is now {current}. Publish the model under this name.",
                validation.EXPERIMENT_NAME,
            )
        try:
            url = self._store.put_file(f"{form.digest[:2]}/{form.digest}.bin", form.file)
        except StorageUnavailableError as error:
            raise StorageDownError from error
        file = {
            "url": url,
            "digest": form.digest,
            "bytes": form.bytes,
            "name": own_name(form.filename),
        }
        params = {"file": file, "card": card, "force": force}
        task = str(card.get("task", Card.task))
        run_id, joined = self._requests.publish(task, name, params, author)
        document = {"run_id": run_id, "joined": joined, **self._runs.state(run_id)}
        return Located(document, HTTPStatus.ACCEPTED.value, f"/runs/{run_id}")


def read_card(text: str) -> dict[str, Any]:
    """Return the fields of a card as JSON text, empty without one.

    Raises MalformedRequestError, which names the field at fault.
    """
    if not text.strip():
        return {}
    try:
        card = orjson.loads(text)
        json.dumps(card, allow_nan=False)  # 1e999 is an infinite number
    except ValueError:
        raise MalformedRequestError("card is not valid JSON. Correct it.", CARD) from None
    if not isinstance(card, dict) or not set(card) <= set(CARD_KEYS):
        known = ", ".join(CARD_KEYS)
        raise MalformedRequestError(f"card must be a JSON object of the keys {known}.", CARD)
    if "\\u0000" in text.replace(r"\\", ""):
        raise MalformedRequestError("card has a NUL character. Remove it.", CARD)
    for key, value in card.items():
        _check_field(key, value)
    return card


def _check_field(key: str, value: Any) -> None:
    """Raise MalformedRequestError for a value that no card can have."""
    path = f"{CARD}/{key}"
    if key in UNCOMPILED:  # the compiler makes them, or confirms them
        if not isinstance(value, dict):
            raise MalformedRequestError(f"{key} of the card must be an object. {SEE_CARD}", path)
        return
    try:
        card = Card.from_document({"experiment": "", **UNCOMPILED, key: value})
    except InvalidCardError as error:
        reason = str(error.__cause__ or error).rstrip(".")
        raise MalformedRequestError(f"card: {reason}. {SEE_CARD}", path) from None
    if key == METRICS and "test_accuracy" in card.metrics and card.test_accuracy is None:
        raise MalformedRequestError(
            "test_accuracy of the card must be a number from 0 to 1. Write 98.5 % as 0.985.", path
        )


def _flag(text: str) -> bool:
    """Return true or false. Raises MalformedRequestError."""
    try:
        return FLAGS[text.strip().lower()]
    except KeyError:
        raise MalformedRequestError("force must be true or false.", FORCE) from None
