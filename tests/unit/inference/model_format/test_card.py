"""Model card: reading, validation, and the fields that apply to an uncompiled file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    MAX_ABS_DIFFERENCE,
    Card,
    FileRecord,
    InputSpec,
    InvalidCardError,
    Parity,
    declared_fields,
    file_record,
    read_document,
)

DOCUMENT: dict[str, Any] = {
    "experiment": "a",
    "files": {},
    "parity": {"images": 0, "max_abs_difference": 0.0, "equal_argmax": True},
}
KERAS = FileRecord("a" * 64, 3)


def test_card_round_trips_through_its_file(tmp_path: Path) -> None:
    card = Card(
        "a",
        {KERAS_FILE: KERAS},
        Parity(9, 1e-6, equal_argmax=True),
        task="parity",
        classes=("even", "odd"),
        input=InputSpec(32, 30, 0.5, True, -1.0, "pad", True, 3, "channels_first"),  # noqa: FBT003
        output="logits",
        metrics={"test_accuracy": 0.5},
        run={"id": 20, "seed": 1},
    )
    card.write(tmp_path / CARD_FILE)
    assert Card.read(tmp_path / CARD_FILE) == card


def test_card_without_a_run_is_written_without_the_key(tmp_path: Path) -> None:
    Card.from_document(DOCUMENT).write(tmp_path / CARD_FILE)
    assert "run" not in read_document(tmp_path / CARD_FILE)


@pytest.mark.parametrize("label", ["", "\ud800", "\0", "a\nb", "x" * 65])
def test_card_with_unprintable_class_is_invalid(label: str) -> None:
    with pytest.raises(InvalidCardError, match="each class must be 1 to 64 printable characters"):
        Card.from_document({**DOCUMENT, "classes": ["even", label]})


@pytest.mark.parametrize("name", ["experiment", "files", "parity"])
def test_card_without_a_required_field_names_it(name: str) -> None:
    with pytest.raises(InvalidCardError, match=name):
        Card.from_document({key: value for key, value in DOCUMENT.items() if key != name})


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [(0, 0), (0.5, 0.5), (1, 1), (98.5, None), (-0.1, None), (True, None), ("1", None)],
)
def test_test_accuracy_outside_0_to_1_is_none(accuracy: object, expected: float | None) -> None:
    card = Card.from_document({**DOCUMENT, "metrics": {"test_accuracy": accuracy}})
    assert card.test_accuracy == expected
    assert Card.from_document(DOCUMENT).test_accuracy is None


@pytest.mark.parametrize(
    ("difference", "equal_argmax", "holds"),
    [
        (MAX_ABS_DIFFERENCE, True, True),
        (2 * MAX_ABS_DIFFERENCE, True, False),
        (0.0, False, False),
        (float("nan"), True, False),
    ],
)
def test_parity_holds_for_rounding_and_equal_labels(
    difference: float, *, equal_argmax: bool, holds: bool
) -> None:
    assert Parity(9, difference, equal_argmax=equal_argmax).holds is holds
    assert Parity(9, 3e-5, equal_argmax=equal_argmax, limit=2e-4).holds is equal_argmax


def test_file_record_has_digest_and_size() -> None:
    record = file_record(b"abc")
    assert (record.sha256[:8], record.bytes) == ("ba7816bf", 3)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": NaN}', "[" * 100_000])
def test_read_document_of_other_content_is_invalid(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD_FILE).write_text(text)
    with pytest.raises(InvalidCardError, match=r"card\.json is not a valid model card"):
        read_document(tmp_path / CARD_FILE)


def test_read_document_of_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / CARD_FILE)
    with pytest.raises(InvalidCardError, match="not a regular file"):
        read_document(tmp_path / CARD_FILE)
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "nowhere")


def test_declared_fields_of_the_same_file_keep_everything() -> None:
    record = {"sha256": KERAS.sha256, "bytes": KERAS.bytes}
    document = {
        **DOCUMENT,
        "files": {KERAS_FILE: record},
        "task": "parity",
        "metrics": {"test_accuracy": 0.5},
    }
    declared = declared_fields(json.loads(json.dumps(document)), KERAS)
    expected = {"experiment": "a", "task": "parity", "metrics": {"test_accuracy": 0.5}}
    assert declared == expected


def test_declared_fields_of_another_file_keep_the_signature() -> None:
    other = {"sha256": "b" * 64, "bytes": 3}
    document = {**DOCUMENT, "files": {KERAS_FILE: other}, "task": "parity", "metrics": {"a": 1}}
    assert declared_fields(document, KERAS) == {"task": "parity"}


def test_declared_fields_that_are_invalid_raise() -> None:
    with pytest.raises(InvalidCardError, match="output must be"):
        declared_fields({"output": "odds"}, KERAS)


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"mean": 0.5}, "input must be an object of height, width, scale"),
        (None, "input must be an object of height"),
        ([28, 28], "input must be an object of height"),
        ({"height": 28.0}, "integers from 1 to 1024"),
        ({"height": True}, "integers from 1 to 1024"),
        ({"width": 1025}, "integers from 1 to 1024"),
        ({"scale": True}, "scale and offset must be finite numbers"),
        ({"scale": "1/255"}, "scale and offset must be finite numbers"),
        ({"offset": None}, "scale and offset must be finite numbers"),
        ({"offset": 1e999}, "scale and offset must be finite numbers"),
        ({"offset": 10**400}, "too large"),
        ({"scale": 0}, "scale must not be 0"),
        ({"scale": 1e-45}, "scale must not be 0"),
        ({"scale": 1e38}, "within float32"),
        ({"offset": -1e39}, "within float32"),
        ({"invert": 1}, "invert and transpose must be true or false"),
        ({"transpose": "true"}, "invert and transpose must be true or false"),
        ({"fit": "crop"}, "fit must be resize or pad"),
        ({"fit": "pad", "height": 27}, "only for a height and width of 28 or more"),
        ({"channels": 2}, "channels must be 1 or 3"),
        ({"channels": True}, "channels must be 1 or 3"),
        ({"channels": [1]}, "channels must be 1 or 3"),
        ({"layout": "last"}, "layout must be channels_last or channels_first"),
    ],
)
def test_invalid_input_gives_the_reason(declared: object, reason: str) -> None:
    with pytest.raises(InvalidCardError, match=reason):
        Card.from_document({**DOCUMENT, "input": declared})


def test_input_document_has_newer_keys_only_when_set() -> None:
    assert InputSpec().document() == {"height": 28, "width": 28, "scale": 1.0, "invert": False}
    assert InputSpec(offset=-1.0).document()["offset"] == -1.0
