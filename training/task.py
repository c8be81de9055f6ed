"""Classification tasks: one TOML file of training/tasks assigns digits to classes.

The file's stem is the task's name. The task sets the output layer (one probability per class), the
pixel range and the mapping from digit labels to class labels. This holds for all architectures.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np

from training.architectures import CLASSES, Architecture
from training.dataset import Dataset, Digits

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # the model card's rule
TASKS = Path(__file__).parent / "tasks"
MIN_CLASSES = 2
Pixels = Literal["0..255", "0..1"]
# The card's scale: the service multiplies pixels of 0 to 255 by it.
SCALES: dict[Pixels, float] = {"0..255": 1.0, "0..1": 1 / 255}


class InvalidTaskError(ValueError):
    """The task does not exist or is invalid. The message names the file and the key."""


@dataclass(frozen=True)
class Task:
    """Named classes, each with its digits.

    Digits without a class are left out of training and testing.

    With `pixels` "0..255" the model scales them itself. With "0..1" the caller scales them, as the
    card declares.
    """

    name: str
    classes: tuple[tuple[str, tuple[int, ...]], ...]
    pixels: Pixels = "0..255"

    def __post_init__(self) -> None:
        """Check the values. Raises ValueError."""
        if not NAME.fullmatch(self.name):
            raise ValueError("the name must be a word of a-z 0-9 _ -")
        if self.pixels not in get_args(Pixels):
            raise ValueError(
                f"pixels must be one of {', '.join(map(repr, get_args(Pixels)))}, "
                f"not {self.pixels!r}"
            )
        digits = [digit for _, members in self.classes for digit in members]
        if len(self.classes) < MIN_CLASSES or not all(members for _, members in self.classes):
            raise ValueError("[classes] needs at least two classes, each with a list of digits")
        if not all(type(digit) is int and 0 <= digit < CLASSES for digit in digits) or len(
            set(digits)
        ) != len(digits):
            raise ValueError("[classes] must hold digits 0..9, each at most once")

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the class names in the order of the model's outputs."""
        return tuple(label for label, _ in self.classes)

    @property
    def scale(self) -> float:
        """Return the factor that the model's caller applies to pixels of 0 to 255."""
        return SCALES[self.pixels]

    def config(self) -> dict[str, Any]:
        """Return the task as plain values: all settings that affect an experiment's results."""
        return {
            "name": self.name,
            "pixels": self.pixels,
            "classes": {label: list(digits) for label, digits in self.classes},
        }

    def with_class_labels(self, data: Dataset) -> Dataset:
        """Return the dataset with class numbers as labels.

        The sha256 remains the digest of the original digits.
        """
        train, validation, test = map(
            self._with_class_labels, (data.train, data.validation, data.test)
        )
        return Dataset(train, validation, test, data.sha256)

    def _with_class_labels(self, digits: Digits) -> Digits:
        none = -1
        class_of = np.full(CLASSES, none, np.int32)
        for number, (_, members) in enumerate(self.classes):
            class_of[list(members)] = number
        labels = class_of[digits.labels]
        return Digits(digits.images[labels != none], labels[labels != none])

    def with_output_layer(self, architecture: Architecture) -> Architecture:
        """Return the architecture as trained for this task.

        It takes pixels of 0 to 255 and has one output per class.
        """
        return architecture if self == DIGITS else _Headed(architecture, len(self.classes))

    def exported(self, model: Any) -> Any:
        """Return the part of a trained keras.Model that is published.

        For a task with scaled pixels, this is everything after the scaling layer.
        """
        import keras

        if self.scale == 1:
            return model
        scaling = next(layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
        return keras.Model(scaling.output, model.output)


# The default task: the ten digits, which the architectures classify without a new output layer.
DIGITS = Task("mnist", tuple((str(digit), (digit,)) for digit in range(CLASSES)))


@dataclass(frozen=True)
class _Headed:
    """Architecture with its output layer replaced, for a different number of classes."""

    name: ClassVar[str] = "headed"
    architecture: Architecture
    classes: int

    @property
    def label(self) -> str:
        """Return the text for tables."""
        return self.architecture.label

    def build(self) -> Any:
        """Build the untrained keras.Model."""
        import keras
        from keras import layers

        model = self.architecture.build()
        dense, softmax = model.layers[-2:]
        if not isinstance(dense, layers.Dense) or not isinstance(softmax, layers.Softmax):
            raise TypeError(f"{self.label} does not end with a dense layer and a softmax")
        return keras.Model(model.input, layers.Softmax()(layers.Dense(self.classes)(dense.input)))


def read(name: str, folder: Path = TASKS) -> Task:
    """Read the task with this name.

    Raises InvalidTaskError if it does not exist, or if its file is not TOML or not a valid task.
    """
    if name == DIGITS.name:
        return DIGITS
    path = folder / f"{name}.toml"
    known = sorted({DIGITS.name, *(file.stem for file in folder.glob("*.toml"))})
    if name not in known:
        raise InvalidTaskError(f"task must be one of {', '.join(known)}, not {name!r}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        classes, pixels = table.pop("classes", {}), table.pop("pixels", "0..255")
        if table:
            raise ValueError(f"unknown key {min(table)}; known: classes, pixels")
        if not isinstance(classes, dict) or not all(
            isinstance(digits, list) for digits in classes.values()
        ):
            raise ValueError("[classes] must give each class a list of its digits")
        return Task(
            name,
            tuple((label, tuple(digits)) for label, digits in classes.items()),
            cast("Pixels", pixels),
        )
    except (ValueError, TypeError) as error:  # an unhashable value is a TypeError
        raise InvalidTaskError(f"{path}: {error}") from None
