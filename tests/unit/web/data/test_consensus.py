"""Consensus of several models."""

from web.data.api_types import Answer, ApiProblemError, Prediction
from web.data.consensus import find_consensus, group_by_task, is_unsure


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
