"""Correcting what models read.

One click stores the true label, and never replaces another person's unasked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from web.data.api_client import ApiProblemError, ApiUnreachableError, Label
from web.formatting import plain

WHO = "dashboard"
CONFLICT, UNAVAILABLE = 409, 503


class State(StrEnum):
    """What became of a correction."""

    STORED = "stored"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True)
class Correction:
    """The last correction of one image: the label that somebody clicked, and what became of it.

    Attributes:
        standing: with CONFLICT, the label that stands.
        problem: with FAILED, a sentence of markdown that says what happened and what to do.

    """

    label: str
    state: State
    standing: Label | None = None
    problem: str | None = None


def correct(
    store: Callable[..., None],
    current: Callable[[str], Label | None],
    prediction_id: str,
    label: str,
    replaces: str | None = None,
) -> Correction:
    """Store a label and say what became of it. store, current: ApiClient.label and .current_label."""
    try:
        store(prediction_id, label, labelled_by=WHO, replaces=replaces)
    except ApiUnreachableError:
        return Correction(
            label,
            State.FAILED,
            problem="The inference API does not answer. Click again once it is back.",
        )
    except ApiProblemError as problem:
        if problem.status != CONFLICT:
            again = " Click again in a moment." if problem.status == UNAVAILABLE else ""
            return Correction(
                label, State.FAILED, problem=f"{plain(problem.detail or problem.title)}{again}"
            )
        try:
            return Correction(label, State.CONFLICT, standing=current(prediction_id))
        except (ApiUnreachableError, ApiProblemError):
            return Correction(label, State.FAILED, problem=plain(problem.detail or problem.title))
    return Correction(label, State.STORED)
