"""Fields of requests of the learning loop: tasks, ids, numbers, choices and parameters of runs.

Each function returns the checked value, or raises MalformedRequestError with the path of the fault.
"""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from inference.api import validation
from inference.api.validation import MAX_PERSON, MAX_REASON
from inference.database.learning.run_requests import Author
from inference.errors import MalformedRequestError, ServiceError, UnknownExperimentError
from inference.model_format.card import TASK_PATTERN
from inference.model_format.layout import NAME_PATTERN
from servicekit import search_space

MAX_ID = 2**63 - 1  # a bigint of Postgres
MAX_COUNT = 2**31 - 1  # an integer of Postgres
MAX_SEEDS, DEFAULT_SEEDS = 20, 3
LATEST = "latest"
CLIENT = "api"  # author of a request that states none, where a person may look later
PARAMETERS = ("seeds", "dataset", "sweep", "keep")
TASK_RULE = "a word of 1 to 32 characters a-z 0-9 _ -, starting with a letter"
SELECTION_PATTERN = re.compile(rf"{NAME_PATTERN.pattern}(@[A-Za-z0-9_-]{{1,32}})?")
MAX_CLOSE_NAMES = 3


def task(value: str) -> str:
    """Return the name of a task."""
    if not TASK_PATTERN.fullmatch(value):
        raise MalformedRequestError(f"task must be {TASK_RULE}.", "task")
    return value


def optional_task(value: str | None) -> str | None:
    """Return the name of a task, None for every task."""
    return None if value is None else task(value)


def row_id(value: int, unknown: Callable[[], ServiceError]) -> int:
    """Return the id of a row. Raises the error of an unknown one if no row can have the id."""
    if not 0 < value <= MAX_ID:
        raise unknown()
    return value


def before(cursor: int | None) -> int | None:
    """Return the id behind which a page begins."""
    return None if cursor is None else min(cursor, MAX_ID)


def text(document: dict[str, Any], field: str, max_length: int, default: str | None = None) -> str:
    """Return a printable text. A missing or null field has the default, if there is one."""
    if default is not None and document.get(field) is None:
        return default
    return validation.text(document, field, max_length)


def author(document: dict[str, Any]) -> Author:
    """Return the fields by and reason."""
    by = validation.text(document, "by", MAX_PERSON)
    return Author(by, validation.text(document, "reason", MAX_REASON))


def whole(
    document: dict[str, Any], field: str, limits: tuple[int, int], default: int | None = None
) -> int:
    """Return a whole number within limits. A missing or null field has the default, if any."""
    value = document.get(field)
    if value is None and default is not None:
        return default
    lowest, highest = limits
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        rule = f"a whole number from {lowest} to {highest}"
        raise MalformedRequestError(f"{field} must be {rule}.", field)
    return value


def flag(document: dict[str, Any], field: str, *, default: bool) -> bool:
    """Return true or false."""
    value = document.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise MalformedRequestError(f"{field} must be true or false.", field)
    return value


def choice(document: dict[str, Any], field: str, choices: Sequence[str], default: str) -> str:
    """Return one of some words."""
    value = document.get(field)
    if value is None:
        return default
    if value not in choices:
        raise MalformedRequestError(f"{field} must be one of {', '.join(choices)}.", field)
    return str(value)


def selection(document: dict[str, Any], field: str, default: list[str], limit: int) -> list[str]:
    """Return names of experiments, versions as NAME@3, or aliases."""
    values = document.get(field)
    if values is None:
        return default
    is_valid = isinstance(values, list) and 0 < len(values) <= limit
    if not is_valid or not all(
        isinstance(value, str) and SELECTION_PATTERN.fullmatch(value) for value in values
    ):
        raise MalformedRequestError(
            f"{field} must be an array of 1 to {limit} names, such as champion or NAME@3.", field
        )
    return list(values)


def digest_or_latest(document: dict[str, Any], field: str) -> str:
    """Return the digest of a dataset, or latest."""
    value = document.get(field)
    if value is None or value == LATEST:
        return LATEST
    if not isinstance(value, str) or not validation.DIGEST_PATTERN.fullmatch(value):
        raise MalformedRequestError(f"{field} must be latest or the digest of a dataset.", field)
    return value


def run_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a retraining: seeds, dataset, keep, and sweep if there is one."""
    parameters: dict[str, Any] = {
        "seeds": whole(document, "seeds", (1, MAX_SEEDS), DEFAULT_SEEDS),
        "dataset": digest_or_latest(document, "dataset"),
        "keep": flag(document, "keep", default=False),
    }
    sweep = document.get("sweep")
    if sweep is not None:
        try:
            search_space.read(sweep)
        except search_space.InvalidSweepError as error:
            raise MalformedRequestError(str(error), "sweep") from error
        parameters["sweep"] = sweep
    return parameters


def known_experiment(name: str, own_task: str, tasks: dict[str, str]) -> str:
    """Return the name of an experiment of the task; `tasks` has the task of each experiment.

    Raises UnknownExperimentError, with close names.
    """
    if tasks.get(name) == own_task:
        return name
    if name in tasks:
        raise UnknownExperimentError(
            f"The experiment belongs to the task {tasks[name]}. Send this task.", "experiment_name"
        )
    own = [known for known, its_task in tasks.items() if its_task == own_task]
    close = difflib.get_close_matches(name, own, MAX_CLOSE_NAMES)
    hint = f" Close names: {', '.join(close)}." if close else ""
    raise UnknownExperimentError(
        f"Unknown experiment.{hint} See GET /api/v1.0/experiments.", "experiment_name"
    )


def only(document: Any, fields: Collection[str]) -> dict[str, Any]:
    """Return a JSON object that has no other fields than these."""
    return validation.record(document, fields)
