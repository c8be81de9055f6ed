"""Label correction."""

from datetime import UTC, datetime

from web.data.api_types import ApiProblemError, ApiUnreachableError, Label
from web.data.label_correction import Correction, CorrectionState, correct_label

ANN = Label("4", "ann", datetime(2026, 1, 31, tzinfo=UTC))


class Api:
    """Fake API that raises a given error, or records the stored labels."""

    def __init__(
        self,
        failure: Exception | None = None,
        *,
        is_gone: bool = False,
        existing: Label | None = ANN,
    ) -> None:
        self.failure = failure
        self.existing = existing
        self.is_gone = is_gone
        self.stored: list[tuple[str, str, str, str | None]] = []

    def store(
        self, prediction_id: str, label: str, *, labelled_by: str, replaces: str | None
    ) -> None:
        if self.failure is not None:
            raise self.failure
        self.stored.append((prediction_id, label, labelled_by, replaces))

    def current(self, _prediction_id: str) -> Label | None:
        if self.is_gone:
            raise ApiUnreachableError
        return self.existing

    def correct(self, replaces: str | None = None) -> Correction:
        return correct_label(self.store, self.current, "p", "9", replaces)


def test_label_is_stored_with_author_and_old_label() -> None:
    api = Api()
    assert (api.correct("4").state, api.stored) == (
        CorrectionState.STORED,
        [("p", "9", "dashboard", "4")],
    )


def test_existing_label_is_reported_and_kept() -> None:
    found = Api(ApiProblemError(409, "Label conflict", "4 stands")).correct()
    assert (found.state, found.existing) == (CorrectionState.CONFLICT, ANN)


def test_conflict_with_unreadable_label_shows_the_detail() -> None:
    found = Api(ApiProblemError(409, "Label conflict", "4 stands"), is_gone=True).correct()
    assert (found.state, found.problem) == (CorrectionState.FAILED, "4 stands")


def test_image_that_takes_no_label_shows_the_detail() -> None:
    refused = ApiProblemError(409, "Image without a label", "No digit. Send one.")
    found = Api(refused, existing=None).correct()
    assert (found.state, found.problem) == (CorrectionState.FAILED, r"No digit\. Send one\.")


def test_failure_says_what_to_do() -> None:
    away = Api(ApiUnreachableError()).correct()
    later = Api(ApiProblemError(503, "Database unavailable", "No *database*")).correct()
    other = Api(ApiProblemError(422, "Unknown label", "No class")).correct()
    assert [found.state for found in (away, later, other)] == [CorrectionState.FAILED] * 3
    assert away.problem == "The inference API does not respond. Click again when it is back."
    assert later.problem == r"No \*database\* Click again in a moment."
    assert other.problem == "No class"
