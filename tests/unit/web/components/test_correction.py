"""Correcting what models read."""

from datetime import UTC, datetime

from web.components.correction import Correction, State, correct
from web.data.api_client import ApiProblemError, ApiUnreachableError, Label

ANN = Label("4", "ann", datetime(2026, 1, 31, tzinfo=UTC))


class Api:
    """Raises what it is told to, and remembers what it stores."""

    def __init__(self, failure: Exception | None = None, *, is_gone: bool = False) -> None:
        self.failure = failure
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
        return ANN

    def correct(self, replaces: str | None = None) -> Correction:
        return correct(self.store, self.current, "p", "9", replaces)


def test_a_label_is_stored_with_who_gave_it_and_what_it_replaces() -> None:
    api = Api()
    assert (api.correct("4").state, api.stored) == (State.STORED, [("p", "9", "dashboard", "4")])


def test_another_label_that_stands_is_told_and_stays() -> None:
    found = Api(ApiProblemError(409, "Label conflict", "4 stands")).correct()
    assert (found.state, found.standing) == (State.CONFLICT, ANN)


def test_a_conflict_whose_label_cannot_be_read_says_what_the_api_said() -> None:
    found = Api(ApiProblemError(409, "Label conflict", "4 stands"), is_gone=True).correct()
    assert (found.state, found.problem) == (State.FAILED, "4 stands")


def test_what_is_away_is_said_with_what_to_do() -> None:
    away = Api(ApiUnreachableError()).correct()
    later = Api(ApiProblemError(503, "Database unavailable", "No *database*")).correct()
    other = Api(ApiProblemError(422, "Unknown label", "No class")).correct()
    assert [found.state for found in (away, later, other)] == [State.FAILED] * 3
    assert away.problem == "The inference API does not answer. Click again once it is back."
    assert later.problem == r"No \*database\* Click again in a moment."
    assert other.problem == "No class"
