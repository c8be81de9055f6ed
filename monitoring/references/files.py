"""Reference file beside a card, which records its digest."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from inference.model_format.atomic_file import write_atomically
from inference.model_format.card import (
    CARD_FILE,
    LITERT_FILE,
    Card,
    InvalidCardError,
    file_record,
)
from monitoring.detector import REFERENCE_FILE, InvalidReferenceError, Reference


def model_digest(card: Card) -> str:
    """Return the digest (sha256, hex) of a card's model.tflite and signature.

    Another input or order of the classes makes other predictions of the same file.
    """
    record = card.files.get(LITERT_FILE)
    parts = [record and record.sha256, card.classes, card.input.document(), card.output]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_reference(directory: Path, card: Card, reference: Reference) -> Card:
    """Write reference.json, and then the card that records it. Return the card. Raises OSError.

    The files of the model itself keep their digests, so nothing is compiled again.
    """
    content = replace(reference, model=model_digest(card)).to_bytes()
    write_atomically(directory / REFERENCE_FILE, content)
    card = replace(card, files={**card.files, REFERENCE_FILE: file_record(content)})
    card.write(directory / CARD_FILE)
    return card


def read_reference(directory: Path) -> Reference | None:
    """Return the reference that the card of a directory records, None if it records none.

    Raises InvalidReferenceError if the file is missing or damaged, or describes another model.
    """
    try:
        card = Card.read(directory / CARD_FILE)
        record = card.files.get(REFERENCE_FILE)
        if record is None:
            return None
        reference = Reference.read(directory / REFERENCE_FILE)
    except (InvalidCardError, FileNotFoundError) as error:
        raise InvalidReferenceError(
            f"{directory} has no reference that its card records: {error}. "
            "Write it again (make references)."
        ) from error
    if reference.digest != record.sha256 or reference.model != model_digest(card):
        raise InvalidReferenceError(
            f"{directory / REFERENCE_FILE} does not describe the model of its card. "
            "Write it again (make references)."
        )
    return reference
