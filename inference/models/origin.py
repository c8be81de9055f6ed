"""Origin of a model: the run, dataset and code that its card states, as the database has them."""

from typing import Any

from inference.model_format.card import Card

MAX_TEXT = 200  # characters of a digest or a version
MAX_INTEGER = 2**63 - 1


def describe_origin(card: Card) -> dict[str, Any] | None:
    """Return the JSON of model_versions.training, or None if the card states no origin.

    The keys are run_id, seed, dataset_digest, data_sha256, code_sha256, and the versions of keras
    and tensorflow. A card is a file of a user: values of another type are left out.
    """
    numbers = {"run_id": card.run.get("id"), "seed": card.run.get("seed")}
    texts = {
        "dataset_digest": card.data.get("dataset_digest"),
        "data_sha256": card.data.get("sha256"),
        "code_sha256": card.code.get("sha256"),
        "keras": card.code.get("keras"),
        "tensorflow": card.code.get("tensorflow"),
    }
    origin: dict[str, Any] = {
        name: value
        for name, value in numbers.items()
        if type(value) is int and 0 <= value <= MAX_INTEGER
    }
    origin |= {
        name: value
        for name, value in texts.items()
        if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
    }
    return origin or None
