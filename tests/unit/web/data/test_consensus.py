"""Consensus of several models."""

import pytest

from web.data.api_types import Answer, ApiProblemError, Prediction
from web.data.consensus import find_consensus, find_unfit, group_by_task, is_unsure


def answer(experiment: str, label: str, confidence: float) -> Answer:
    return Answer(
        experiment,
        prediction=Prediction(label, confidence, {label: confidence, "other": 1 - confidence}),
    )


BROKEN = Answer("broken", problem=ApiProblemError(503, "Loading", "Try again."))


def test_no_prediction_yields_no_consensus() -> None:
    assert find_consensus([BROKEN]) is None


def test_warned_image_has_no_consensus() -> None:
    assert find_consensus([answer("a", "7", 0.9)], ("no digit found",)) is None


def test_label_with_most_votes_wins() -> None:
    found = find_consensus(
        [answer("a", "7", 0.9), answer("b", "1", 1.0), answer("c", "7", 0.8), BROKEN]
    )
    assert found is not None
    assert (found.label, found.votes, found.voters, found.dissent) == ("7", 2, 3, {"1": ("b",)})


def test_more_probable_label_wins_a_tie() -> None:
    found = find_consensus([answer("a", "7", 0.6), answer("b", "1", 0.9)])
    assert found is not None
    assert found.label == "1"


def test_confidence_includes_dissenting_models() -> None:
    found = find_consensus([answer("a", "7", 0.9), answer("b", "7", 0.9), answer("c", "1", 1.0)])
    assert found is not None
    assert round(found.confidence, 9) == 0.6


def test_confidence_below_60_percent_is_unsure() -> None:
    found = find_consensus([answer("a", "7", 0.59), answer("b", "7", 0.60)])
    assert found is not None
    assert (is_unsure(0.59), is_unsure(0.60), found.is_unsure) == (True, False, True)


def test_answers_are_grouped_by_task_largest_first() -> None:
    odd, seven, broken = answer("p", "odd", 0.9), answer("a", "7", 0.9), BROKEN
    groups = group_by_task([odd, seven, broken], {"p": "parity", "a": "mnist", "broken": "mnist"})
    assert list(groups.items()) == [("mnist", [seven, broken]), ("parity", [odd])]


def test_tasks_have_separate_consensus() -> None:
    groups = group_by_task(
        [answer("a", "7", 0.9), answer("p", "odd", 0.9)], {"p": "parity", "a": "mnist"}
    )
    found = [find_consensus(group) for group in groups.values()]
    assert [consensus and consensus.dissent for consensus in found] == [{}, {}]


def test_unfit_models_are_left_out() -> None:
    answers = [answer("a", "7", 0.9), answer("dead", "1", 1.0), answer("diverged", "1", 1.0)]
    found = find_consensus(answers, unfit={"dead": "", "diverged": "", "other": ""})
    assert found is not None
    assert (found.label, found.voters, found.left_out) == ("7", 1, ("dead", "diverged"))


def test_unfit_models_vote_where_there_is_no_other() -> None:
    found = find_consensus([answer("dead", "1", 1.0)], unfit={"dead"})
    assert found is not None
    assert (found.label, found.voters, found.left_out) == ("1", 1, ())


@pytest.mark.parametrize(
    ("outcome", "accuracy", "classes", "reason"),
    [
        ("finished", 0.98, 10, None),
        (None, None, 10, None),
        (None, float("nan"), 10, None),
        ("diverged", 0.98, 10, "diverged"),
        ("failed", None, 10, "failed"),
        ("finished", 0.1135, 10, "test accuracy 11 %"),
        ("finished", 0.2, 10, None),
        ("finished", 0.51, 2, "test accuracy 51 %"),
        ("finished", 0.56, 2, None),
        (None, 1.0, 1, None),
    ],
)
def test_models_near_chance_or_diverged_are_unfit(
    outcome: str | None, accuracy: float | None, classes: int, reason: str | None
) -> None:
    found = find_unfit(outcome, accuracy, classes)
    assert (found and found.replace("\N{NO-BREAK SPACE}", " ")) == reason
