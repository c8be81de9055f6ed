"""Label correction: stores the correct label of an image, and detects conflicting labels."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from web.data.api_types import ApiProblemError, ApiUnreachableError, Label
from web.formatting import escape_markdown

LABELED_BY = "dashboard"
CONFLICT, UNAVAILABLE = 409, 503


class CorrectionState(StrEnum):
    """Result of a correction."""

    STORED = "stored"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True)
class Correction:
    """Last correction of an image.

    Attributes:
        label: the label that the user clicked.
        state: its result.
        existing: for CONFLICT, the label that the image already has.
        problem: for FAILED, markdown that says what happened and what to do.

    """

    label: str
    state: CorrectionState
    existing: Label | None = None
    problem: str | None = None


def correct_label(
    store: Callable[..., None],
    current: Callable[[str], Label | None],
    prediction_id: str,
    label: str,
    replaces: str | None = None,
    *,
    by: str = LABELED_BY,
) -> Correction:
    """Store a label and return the result. Never replaces another label unless asked to.

    Args:
        store: ApiClient.store_label.
        current: ApiClient.current_label.
        prediction_id: id of a prediction of the image.
        label: the correct label.
        replaces: the label to replace, None if there should be none.
        by: author of the label.

    """
    try:
        store(prediction_id, label, labelled_by=by, replaces=replaces)
    except ApiUnreachableError:
        return Correction(
            label,
            CorrectionState.FAILED,
            problem="The inference API does not respond. Click again when it is back.",
        )
    except ApiProblemError as problem:
        message = escape_markdown(problem.detail or problem.title)
        if problem.status != CONFLICT:
            hint = " Click again in a moment." if problem.status == UNAVAILABLE else ""
            return Correction(label, CorrectionState.FAILED, problem=message + hint)
        try:
            existing = current(prediction_id)
        except (ApiUnreachableError, ApiProblemError):
            existing = None
        if existing is None:  # or the image takes no label
            return Correction(label, CorrectionState.FAILED, problem=message)
        return Correction(label, CorrectionState.CONFLICT, existing=existing)
    return Correction(label, CorrectionState.STORED)
