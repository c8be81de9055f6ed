"""Model card: card.json, which describes a model and records the digests of its files.

Training and the compiler write it. Serving trusts it only where the digests match.
"""

import hashlib
import json
import math
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from inference.model_format.atomic_file import write_atomically

KERAS_FILE = "model.keras"
LITERT_FILE = "model.tflite"
CARD_FILE = "card.json"
DIGITS = tuple("0123456789")
PROBABILITIES, LOGITS = "probabilities", "logits"
RESIZE, PAD = "resize", "pad"
CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"
SIGNATURE_KEYS = ("task", "classes", "input", "output")
MAX_CARD_BYTES = 2**20
MAX_LABEL_LENGTH = 64
CANONICAL_SIDE = 28  # pixels; preprocessing/digits.py makes images of this side
MAX_SIDE = 1024  # pixels; a resized image takes 4 MB at this side
MAX_PIXEL = 255
FLOAT32_MIN, FLOAT32_MAX = 1.2e-38, 3.4e38
TASK_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# LiteRT computes in float32 as Keras does, but in another order. The shipped models agree to 7e-6.
MAX_ABS_DIFFERENCE = 1e-5


class InvalidCardError(Exception):
    """A card.json is invalid. The message gives the reason."""


@dataclass(frozen=True)
class InputSpec:
    """Input of a model: float32, pixels of 0 to 255 times `scale` plus `offset`.

    Ink is high unless `invert`. `height` and `width` are in pixels, and `fit` says how an image of
    28x28 gets this size: RESIZE, or PAD with background. With `transpose`, rows and columns
    are exchanged, as in the files of EMNIST. `channels` is 1, or 3 of equal values, whose `layout`
    is CHANNELS_LAST or CHANNELS_FIRST.
    """

    height: int = CANONICAL_SIDE
    width: int = CANONICAL_SIDE
    scale: float = 1.0
    invert: bool = False
    offset: float = 0.0
    fit: str = RESIZE
    transpose: bool = False
    channels: int = 1
    layout: str = CHANNELS_LAST

    @classmethod
    def from_document(cls, document: Any) -> "InputSpec":
        """Return the input in a JSON object. Raises ValueError."""
        known = [entry.name for entry in fields(cls)]
        if not isinstance(document, Mapping) or not set(document) <= set(known):
            raise ValueError(f"input must be an object of {', '.join(known)}")
        spec = cls(**document)
        spec._validate()
        return spec

    def document(self) -> dict[str, Any]:
        """Return the JSON object, without newer keys at their default.

        The identifiers of versions are derived from it, so it must not change with the code.
        """
        return {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name in ORIGINAL_INPUT_KEYS or getattr(self, entry.name) != entry.default
        }

    def _validate(self) -> None:
        sides = (self.height, self.width)
        if not all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
            raise ValueError(f"input height and width must be integers from 1 to {MAX_SIDE}")
        if not all(_is_number(number) for number in (self.scale, self.offset)):
            raise ValueError("input scale and offset must be finite numbers")
        if abs(self.scale) < FLOAT32_MIN:
            raise ValueError("input scale must not be 0, which makes all images equal")
        if MAX_PIXEL * abs(self.scale) + abs(self.offset) > FLOAT32_MAX:
            raise ValueError("input scale and offset must keep all values within float32")
        if not all(isinstance(flag, bool) for flag in (self.invert, self.transpose)):
            raise ValueError("input invert and transpose must be true or false")
        if self.fit not in (RESIZE, PAD):
            raise ValueError(f"input fit must be {RESIZE} or {PAD}")
        if self.fit == PAD and min(sides) < CANONICAL_SIDE:
            raise ValueError(
                f"input fit can be {PAD} only for a height and width of {CANONICAL_SIDE} or more"
            )
        if type(self.channels) is not int or self.channels not in (1, 3):
            raise ValueError("input channels must be 1 or 3")
        if self.layout not in (CHANNELS_LAST, CHANNELS_FIRST):
            raise ValueError(f"input layout must be {CHANNELS_LAST} or {CHANNELS_FIRST}")


ORIGINAL_INPUT_KEYS = ("height", "width", "scale", "invert")
MNIST_INPUT = InputSpec()


@dataclass(frozen=True)
class FileRecord:
    """Digest (sha256, hex) and size in bytes of a file."""

    sha256: str
    bytes: int


def file_record(content: bytes) -> FileRecord:
    """Return the record of a file's content."""
    return FileRecord(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Parity:
    """Agreement of a LiteRT model with its Keras model over a number of images.

    `max_abs_difference` is the largest difference of a probability, 0 to 1. `limit` is the largest
    that rounding explains: it is higher for models with large logits.
    """

    images: int
    max_abs_difference: float
    equal_argmax: bool
    limit: float = MAX_ABS_DIFFERENCE

    @property
    def holds(self) -> bool:
        """Whether every label is equal and probabilities differ by rounding alone."""
        return self.equal_argmax and self.max_abs_difference <= self.limit


# Required fields of a card before its model is compiled.
UNCOMPILED = {"files": {}, "parity": asdict(Parity(0, 0.0, equal_argmax=True))}


@dataclass(frozen=True)
class Card:
    """A model card.

    `files` holds the record of each file by name. `classes` holds the labels in output order.
    `config`, `metrics`, `data` and `code` describe the training: settings, results, the digest of
    the data, and the digest and versions of the code. They are empty for models trained elsewhere.
    `run` has the id and seed of the pipeline run that trained the model. Other cards lack it.
    """

    experiment: str
    files: Mapping[str, FileRecord]
    parity: Parity
    task: str = "mnist"
    classes: tuple[str, ...] = DIGITS
    input: InputSpec = MNIST_INPUT
    output: str = PROBABILITIES
    parameters: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read a card.json.

        Raises InvalidCardError, and FileNotFoundError when the file does not exist.
        """
        return cls.from_document(read_document(path))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Card":
        """Return the card in a JSON object. Raises InvalidCardError."""
        try:
            if unknown := set(document) - {entry.name for entry in fields(cls)}:
                raise InvalidCardError(
                    f"{CARD_FILE} has the unknown key {min(unknown)!r}. "
                    "See doc/api.md for the keys of a card."
                )
            if not isinstance(document.get("classes", []), list):
                raise InvalidCardError(
                    f'{CARD_FILE} must give its classes as a list, such as ["even", "odd"].'
                )
            card = cls(
                **{
                    **document,
                    "files": {
                        name: FileRecord(**record) for name, record in document["files"].items()
                    },
                    "parity": Parity(**document["parity"]),
                    "classes": tuple(map(str, document.get("classes", DIGITS))),
                    "input": InputSpec.from_document(document.get("input", {})),
                }
            )
            card._validate()
        except KeyError as error:
            raise InvalidCardError(f"{CARD_FILE} lacks {error}. Add it.") from error
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise _invalid(str(error)) from error
        else:
            return card

    @property
    def test_accuracy(self) -> float | None:
        """Accuracy from the metrics, 0 to 1, or None when it is missing or out of range."""
        accuracy = self.metrics.get("test_accuracy")
        is_fraction = (
            isinstance(accuracy, int | float)
            and not isinstance(accuracy, bool)
            and 0 <= accuracy <= 1
        )
        return accuracy if is_fraction else None

    def _validate(self) -> None:
        """Raise ValueError for a value of the wrong type, which JSON does not check."""
        if self.output not in (PROBABILITIES, LOGITS):
            raise ValueError("output must be probabilities or logits")
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct, and at least one")
        if not all(
            1 <= len(label) <= MAX_LABEL_LENGTH and label.isprintable() for label in self.classes
        ):
            raise ValueError(f"each class must be 1 to {MAX_LABEL_LENGTH} printable characters")
        if not isinstance(self.task, str) or not TASK_PATTERN.fullmatch(self.task):
            raise ValueError("task must be a word of a-z 0-9 _ -, such as mnist")
        parity = (self.parity.images, self.parity.max_abs_difference, self.parity.limit)
        if not all(map(_is_number, parity)):
            raise ValueError("parity must hold finite numbers")
        if not isinstance(self.parity.equal_argmax, bool):
            raise ValueError("equal_argmax must be true or false")
        parts = (self.config, self.metrics, self.data, self.code, self.run)
        if not all(isinstance(part, Mapping) for part in parts):
            raise ValueError("config, metrics, data, code and run must be objects")

    def write(self, path: Path) -> None:
        """Write the card atomically. Raises OSError."""
        document = {**asdict(self), "input": self.input.document()}
        if not self.run:
            del document["run"]
        write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON object in a card.json, without validating its keys.

    Raises InvalidCardError, and FileNotFoundError when the file does not exist.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a read from a pipe would never return
            raise InvalidCardError(f"{CARD_FILE} is not a regular file. Replace it.")
        if status.st_size > MAX_CARD_BYTES:
            raise InvalidCardError(
                f"{CARD_FILE} is larger than {MAX_CARD_BYTES} bytes. Make it smaller."
            )
        document = json.loads(path.read_bytes(), parse_constant=_reject_constant)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(str(error)) from error
    if not isinstance(document, dict):
        raise _invalid("it must be a JSON object")
    return document


def declared_fields(document: Mapping[str, Any], keras: FileRecord) -> dict[str, Any]:
    """Return the fields of a card that apply to an uncompiled Keras file.

    `files` and `parity` are left out: the compiler makes them. When the card names another Keras
    file in `files`, only its signature applies: its training and results say nothing about this
    file. Raises InvalidCardError.
    """
    files = document.get("files", {})
    is_same_file = isinstance(files, dict) and files.get(KERAS_FILE, asdict(keras)) == asdict(keras)
    declared = {
        key: value
        for key, value in document.items()
        if key not in UNCOMPILED and (is_same_file or key in SIGNATURE_KEYS)
    }
    Card.from_document({"experiment": "", **declared, **UNCOMPILED})  # validates
    return declared


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _invalid(reason: str) -> InvalidCardError:
    return InvalidCardError(f"{CARD_FILE} is not a valid model card: {reason}. Correct the file.")


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number in JSON")
