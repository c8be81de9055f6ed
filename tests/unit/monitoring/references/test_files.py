"""Reference file beside its card."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.card import UNCOMPILED, Card, FileRecord, InputSpec
from monitoring.detector import InvalidReferenceError, PathReference, Reference
from monitoring.references.files import model_digest, read_reference, write_reference
from tests.support.drift import observe_digits

CARD = Card.from_document({"experiment": "mine", **UNCOMPILED})


@pytest.fixture(scope="module")
def reference() -> Reference:
    one, other = (PathReference.fit(*observe_digits(150, seed)) for seed in (1, 2))
    return Reference({"as_sent": one, "framed": other})


def test_written_reference_is_read(reference: Reference, tmp_path: Path) -> None:
    card = write_reference(tmp_path, CARD, reference)
    found = read_reference(tmp_path)
    assert found is not None
    assert found.digest == card.files["reference.json"].sha256
    assert found["framed"].digest == reference["framed"].digest
    assert found.model == model_digest(card)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": CARD.classes[::-1]},
        {"input": InputSpec(invert=True)},
        {"output": "logits"},
        {"files": {"model.tflite": FileRecord("0" * 64, 1)}},
    ],
)
def test_digest_of_model_covers_file_and_signature(change: dict[str, Any]) -> None:
    assert model_digest(replace(CARD, **change)) != model_digest(CARD)
    assert model_digest(replace(CARD, experiment="other")) == model_digest(CARD)


def test_reference_of_another_signature_raises(reference: Reference, tmp_path: Path) -> None:
    card = write_reference(tmp_path, CARD, reference)
    replace(card, input=InputSpec(invert=True)).write(tmp_path / "card.json")
    with pytest.raises(InvalidReferenceError, match="does not describe the model"):
        read_reference(tmp_path)


def test_card_without_reference_has_none(reference: Reference, tmp_path: Path) -> None:
    CARD.write(tmp_path / "card.json")
    reference.write(tmp_path / "reference.json")  # that no card confirms
    assert read_reference(tmp_path) is None


@pytest.mark.parametrize("kind", ["missing", "other", "damaged", "no card", "pipe"])
def test_unconfirmed_reference_raises(reference: Reference, tmp_path: Path, kind: str) -> None:
    write_reference(tmp_path, CARD, reference)
    path = tmp_path / "reference.json"
    if kind == "other":
        Reference({"as_sent": reference["framed"], "framed": reference["as_sent"]}).write(path)
    elif kind == "damaged":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "no card":
        (tmp_path / "card.json").unlink()
    else:
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
    with pytest.raises(InvalidReferenceError):
        read_reference(tmp_path)
