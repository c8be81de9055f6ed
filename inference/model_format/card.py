"""The model card: what card.json beside a model says of it.

Training writes it, serving believes it only where a digest agrees.
"""

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

KERAS_FILE = "model.keras"
LITERT_FILE = "model.tflite"
CARD_FILE = "card.json"
DIGITS = tuple("0123456789")
PROBABILITIES, LOGITS = "probabilities", "logits"
CONTRACT_KEYS = ("task", "classes", "input", "output")
MAX_CARD_BYTES = 2**20
MAX_LABEL = 64  # characters
MAX_SIDE = 1024  # pixels; what an image is resized to takes 4 MB then
TASK_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# LiteRT computes what Keras computes, in float32 and in another order: the shipped models agree to
# 7e-6.
MAX_ABS_DIFFERENCE = 1e-5


class InvalidCardError(Exception):
    """A card.json that cannot be believed; the message says why."""


@dataclass(frozen=True)
class InputContract:
    """What a model takes.

    Pixels of 0 to 255 (ink high unless `invert`), multiplied with `scale`, float32.
    """

    height: int = 28
    width: int = 28
    scale: float = 1.0
    invert: bool = False


MNIST_INPUT = InputContract()


@dataclass(frozen=True)
class FileRecord:
    """A file's sha256 (hex) and size in bytes."""

    sha256: str
    bytes: int


def file_record(content: bytes) -> FileRecord:
    """Return the record of a file's content."""
    return FileRecord(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Parity:
    """How a LiteRT model agreed with its Keras model.

    Over how many images, and by how much it differed at most (0 to 1).
    """

    images: int
    max_abs_difference: float
    equal_argmax: bool

    @property
    def holds(self) -> bool:
        """Whether both give the same label for every image, and probabilities that differ by
        rounding alone.
        """
        return self.equal_argmax and self.max_abs_difference <= MAX_ABS_DIFFERENCE


@dataclass(frozen=True)
class Card:
    """A model card.

    `files` holds the record of each file by name; `classes` the labels in the order of the output.

    `config`, `metrics`, `data` and `code` say how the model was trained: its settings, what it
    reached, the digest of what it learnt from, and the digest and versions of what trained it. They
    are empty for a model that was trained elsewhere.
    """

    experiment: str
    files: Mapping[str, FileRecord]
    parity: Parity
    task: str = "mnist"
    classes: tuple[str, ...] = DIGITS
    input: InputContract = MNIST_INPUT
    output: str = PROBABILITIES
    parameters: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Card":
        """Read a card.json.

        Raises InvalidCardError with the reason, FileNotFoundError when there is none.
        """
        return cls.of(read_document(path))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Card":
        """Return the card that a JSON object is. Raises InvalidCardError with the reason."""
        try:
            if unknown := set(document) - {each.name for each in fields(cls)}:
                raise InvalidCardError(
                    f"{CARD_FILE} has the unknown key {min(unknown)!r}; doc/api.md lists the keys of a card."
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
                    "input": InputContract(**document.get("input", {})),
                }
            )
            card._check()
        except KeyError as error:
            raise InvalidCardError(f"{CARD_FILE} lacks {error}.") from error
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidCardError(f"{CARD_FILE} is no model card: {error}.") from error
        else:
            return card

    @property
    def test_accuracy(self) -> float | None:
        """What the metrics say of it, 0 to 1, None where that is no such number."""
        accuracy = self.metrics.get("test_accuracy")
        is_share = (
            isinstance(accuracy, int | float)
            and not isinstance(accuracy, bool)
            and 0 <= accuracy <= 1
        )
        return accuracy if is_share else None

    def _check(self) -> None:
        """Raise ValueError where a value is not of its type, for JSON has none of its own."""
        if self.output not in (PROBABILITIES, LOGITS):
            raise ValueError("output must be probabilities or logits")
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct, and at least one")
        if not all(1 <= len(label) <= MAX_LABEL and label.isprintable() for label in self.classes):
            raise ValueError(f"each class must be 1 to {MAX_LABEL} characters that can be printed")
        if not isinstance(self.task, str) or not TASK_PATTERN.fullmatch(self.task):
            raise ValueError("task must be a word of a-z 0-9 _ -, such as mnist")
        sides = (self.input.height, self.input.width)
        if not all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
            raise ValueError(f"input height and width must be whole numbers of 1 to {MAX_SIDE}")
        numbers = (self.input.scale, self.parity.images, self.parity.max_abs_difference)
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError("input and parity must hold numbers")
        if self.input.scale == 0:
            raise ValueError("input scale must not be 0, which makes all images the same")
        if not isinstance(self.parity.equal_argmax, bool) or not isinstance(
            self.input.invert, bool
        ):
            raise ValueError("equal_argmax and invert must be true or false")
        if not all(
            isinstance(part, Mapping) for part in (self.config, self.metrics, self.data, self.code)
        ):
            raise ValueError("config, metrics, data and code must be objects")

    def write(self, path: Path) -> None:
        """Write the card so that a reader finds the old one or the new one, never a part."""
        write_atomically(path, (json.dumps(asdict(self), indent=1) + "\n").encode())


def read_document(path: Path) -> dict[str, Any]:
    """Return a card.json as it stands.

    Raises InvalidCardError with the reason, FileNotFoundError when there is none.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would never end
            raise InvalidCardError(f"{CARD_FILE} is no regular file.")
        if status.st_size > MAX_CARD_BYTES:
            raise InvalidCardError(f"{CARD_FILE} is larger than {MAX_CARD_BYTES} bytes.")
        document = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidCardError(f"{CARD_FILE} is no model card: {error}.") from error
    if not isinstance(document, dict):
        raise InvalidCardError(f"{CARD_FILE} is no model card: it must be a JSON object.")
    return document


def declared(document: Mapping[str, Any], keras: FileRecord) -> dict[str, Any]:
    """Return what a card says of a Keras file that is still to be compiled.

    All but `files` and `parity`, which that gives.

    A card of another Keras file, which it names in `files`, is believed in its contract alone: how
    that one was trained and what it reached say nothing of this one. Raises InvalidCardError.
    """
    files = document.get("files", {})
    is_of_this = isinstance(files, dict) and files.get(KERAS_FILE, asdict(keras)) == asdict(keras)
    kept = {
        key: value
        for key, value in document.items()
        if key not in ("files", "parity") and (is_of_this or key in CONTRACT_KEYS)
    }
    with_the_rest = {
        "experiment": "",
        **kept,
        "files": {},
        "parity": asdict(Parity(0, 0.0, equal_argmax=True)),
    }
    Card.of(with_the_rest)  # checks it
    return kept


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def write_atomically(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write a file beside its place, to `flush` also to the disk, and move it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        if flush:
            os.fsync(file.fileno())
    temporary.replace(path)
