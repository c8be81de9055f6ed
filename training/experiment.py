"""Experiment definitions: one TOML file of training/experiments, parsed strictly.

The file's stem is the experiment's name. A typing error must not silently train a different
experiment. An unknown key, a missing key, a wrong type or a value out of range therefore raises
InvalidExperimentError, which names the file and the key.
"""

import dataclasses
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training import task as tasks
from training.architectures import ARCHITECTURES, Architecture
from training.task import DIGITS, Task

NAME = re.compile(r"[a-z][a-z0-9]*_experiment_[0-9]+__[a-z0-9_]+")
EXPERIMENTS = Path(__file__).parent / "experiments"


class InvalidExperimentError(ValueError):
    """The experiment file is invalid. The message names the file and the key."""


@dataclass(frozen=True)
class Experiment:
    """One training run: every setting that affects its results, apart from data and code.

    Rates are per optimizer step of keras.optimizers.SGD. `weight_decay` is decoupled and applies to
    kernels only.
    """

    name: str
    architecture: Architecture
    learning_rate: float  # > 0; the initial rate for "cosine", which decays to 0
    momentum: float  # 0..1
    epochs: int
    batch_size: int
    seed: int
    schedule: Literal["constant", "cosine"] = "constant"
    augment: bool = False
    weight_decay: float = 0.0
    keep_model: bool = True  # False publishes only the row
    task: Task = DIGITS

    def __post_init__(self) -> None:
        """Check the ranges. Raises ValueError with the key and its range."""
        positive = ("learning_rate", "epochs", "batch_size")
        for key in positive:
            if not 0 < getattr(self, key) < float("inf"):
                raise ValueError(f"{key} must be positive and finite")
        if not 0 <= self.momentum <= 1:
            raise ValueError("momentum must lie in 0..1")
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError("weight_decay must be finite and not negative")
        if self.seed < 0:
            raise ValueError("seed must not be negative")

    def config(self) -> dict[str, Any]:
        """Return the values of the file, including defaults, without the experiment's name.

        A non-default task is included in full. The default task is left out.
        """
        table = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("name", "task")
        }
        if self.task != DIGITS:
            table["task"] = self.task.config()
        table["architecture"] = {"name": self.architecture.name} | {
            field.name: list(value)
            if isinstance(value := getattr(self.architecture, field.name), tuple)
            else value
            for field in dataclasses.fields(self.architecture)
        }
        return table


def read(path: Path) -> Experiment:
    """Read one experiment file.

    Raises InvalidExperimentError if it is not TOML or not a valid experiment.
    """
    if not NAME.fullmatch(path.stem):
        raise InvalidExperimentError(
            f"{path}: invalid name. Use a name like mnist_experiment_14__some_words.toml"
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        task = tasks.read(table.pop("task", DIGITS.name))
        architecture_table = table.pop("architecture", None)
        if (
            not isinstance(architecture_table, dict)
            or architecture_table.get("name") not in ARCHITECTURES
        ):
            raise ValueError(
                f"[architecture] name must be one of {', '.join(sorted(ARCHITECTURES))}"
            )
        parameters = {key: value for key, value in architecture_table.items() if key != "name"}
        architecture = _parse(
            ARCHITECTURES[architecture_table["name"]], parameters, "architecture."
        )
        return typing.cast(
            "Experiment",
            _parse(Experiment, table, "", name=path.stem, architecture=architecture, task=task),
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidExperimentError(f"{path}: {error}") from None


def from_config(name: str, config: Mapping[str, Any]) -> Experiment:
    """Return the experiment of a name and the values of `Experiment.config`.

    Raises InvalidExperimentError if they are not those of a valid experiment.
    """
    table = dict(config)
    try:
        task, architecture = table.pop("task", None), table.pop("architecture")
        parameters = {key: value for key, value in architecture.items() if key != "name"}
        return typing.cast(
            "Experiment",
            _parse(
                Experiment,
                table,
                "",
                name=name,
                architecture=_parse(
                    ARCHITECTURES[architecture["name"]], parameters, "architecture."
                ),
                task=_task_from_config(task) if task else DIGITS,
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidExperimentError(f"{name}: the config is invalid: {error}") from None


def read_all(folder: Path = EXPERIMENTS) -> list[Experiment]:
    """Read all experiments of a folder in natural order of the file names (2 before 14).

    Raises InvalidExperimentError if the folder has no experiment or an invalid one.
    """
    paths = sorted(folder.glob("*.toml"), key=_natural)
    if not paths:
        raise InvalidExperimentError(f"{folder}: no experiment files (*.toml)")
    return [read(path) for path in paths]


def _task_from_config(config: Mapping[str, Any]) -> Task:
    """Return the task of the values of `Task.config`."""
    classes = tuple((label, tuple(digits)) for label, digits in config["classes"].items())
    return Task(config["name"], classes, config["pixels"])


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that compares digits as numbers."""
    parts = re.split(r"([0-9]+)", path.stem)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _parse(kind: type[Any], table: Mapping[str, object], prefix: str, **fixed: object) -> Any:
    """Build the dataclass `kind` from a TOML table with exactly its keys and types.

    `fixed` holds the fields that do not come from the table.
    """
    hints = {key: hint for key, hint in typing.get_type_hints(kind).items() if key not in fixed}
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in fixed}
    for key in table:
        if key not in fields:
            raise ValueError(
                f"unknown key {prefix}{key}; known: {', '.join(prefix + name for name in fields)}"
            )
    for key, field in fields.items():
        if key not in table and field.default is dataclasses.MISSING:
            raise ValueError(f"missing key {prefix}{key}")
    return kind(
        **{key: _value(hints[key], value, prefix + key) for key, value in table.items()}, **fixed
    )


def _value(hint: Any, value: object, key: str) -> object:
    """Convert `value` to the type `hint`. Raises ValueError with the expected type."""
    if typing.get_origin(hint) is Literal:
        if value in typing.get_args(hint):
            return value
        raise ValueError(
            f"{key} must be one of {', '.join(map(repr, typing.get_args(hint)))}, not {value!r}"
        )
    if typing.get_origin(hint) is tuple:
        if isinstance(value, list):
            return tuple(_value(typing.get_args(hint)[0], item, key) for item in value)
        raise ValueError(f"{key} must be a list, not {value!r}")
    # type() instead of isinstance(): bool is an int in Python. TOML allows an int for a float.
    if type(value) is hint:
        return value
    if hint is float and type(value) is int:
        return float(value)
    raise ValueError(f"{key} must be {hint.__name__}, not {value!r}")
