"""What several answers say together."""

from web.data.api_client import Answer, ApiProblemError, Prediction
from web.data.consensus import answer_table, by_task, find_consensus, probability_table


def said(experiment: str, label: str, confidence: float) -> Answer:
    return Answer(
        experiment,
        prediction=Prediction(label, confidence, {label: confidence, "other": 1 - confidence}),
    )


BROKEN = Answer("broken", problem=ApiProblemError(503, "Loading", "Try again."))


def test_no_answer_is_no_consensus() -> None:
    assert find_consensus([BROKEN]) is None


def test_the_label_with_most_votes_wins_and_dissent_is_named() -> None:
    found = find_consensus([said("a", "7", 0.9), said("b", "1", 1.0), said("c", "7", 0.8), BROKEN])
    assert found is not None
    assert (found.label, found.votes, found.voters, found.dissent) == ("7", 2, 3, {"1": ("b",)})


def test_between_equal_votes_the_more_probable_label_wins() -> None:
    found = find_consensus([said("a", "7", 0.6), said("b", "1", 0.9)])
    assert found is not None
    assert found.label == "1"


def test_the_confidence_counts_those_who_disagree() -> None:
    found = find_consensus([said("a", "7", 0.9), said("b", "7", 0.9), said("c", "1", 1.0)])
    assert found is not None
    assert round(found.confidence, 9) == 0.6


def test_below_sixty_percent_is_unsure_and_sixty_is_not() -> None:
    found = find_consensus([said("a", "7", 0.59), said("b", "7", 0.60)])
    assert found is not None
    assert (found.unsure, found.is_unsure) == (("a",), True)


def test_the_table_says_who_disagrees_who_is_unsure_and_who_failed() -> None:
    answers = [said("a", "7", 0.9), said("b", "7", 0.9), said("c", "1", 0.5), BROKEN]
    table = answer_table(answers, find_consensus(answers))
    assert list(table["note"]) == ["", "", "disagrees, unsure", "Loading: Try again."]


def test_the_table_of_probabilities_has_a_column_for_every_label() -> None:
    table = probability_table({"a": {"1": 1.0}, "b": {"0": 0.5, "1": 0.5}})
    assert list(table.columns) == ["Experiment", "0", "1"]


def test_answers_of_different_tasks_are_told_apart_those_of_the_larger_one_first() -> None:
    odd, seven, broken = said("p", "odd", 0.9), said("a", "7", 0.9), BROKEN
    groups = by_task([odd, seven, broken], {"p": "parity", "a": "mnist", "broken": "mnist"})
    assert list(groups.items()) == [("mnist", [seven, broken]), ("parity", [odd])]


def test_nobody_disagrees_with_an_answer_of_another_task() -> None:
    groups = by_task([said("a", "7", 0.9), said("p", "odd", 0.9)], {"p": "parity", "a": "mnist"})
    assert [find_consensus(group).dissent for group in groups.values()] == [{}, {}]  # type: ignore[union-attr]
