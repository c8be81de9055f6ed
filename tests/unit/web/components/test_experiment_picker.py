"""Which experiments are meant."""

from web.components.experiment_picker import Selection, rank_tasks, resolve

KNOWN = {"new": "digits", "middle": "letters", "old": "digits"}


def test_without_a_choice_the_newest_are_meant() -> None:
    assert resolve(KNOWN, 2, []) == Selection(("new", "middle"), ())


def test_more_than_there_are_means_all() -> None:
    assert resolve(KNOWN, 99, []) == Selection(("new", "middle", "old"), ())


def test_a_choice_takes_precedence_and_keeps_its_order() -> None:
    assert resolve(KNOWN, 2, ["old", "new"]) == Selection(("old", "new"), ())


def test_a_name_that_does_not_exist_is_told_apart() -> None:
    assert resolve(KNOWN, 2, ["old", "gone"]) == Selection(("old",), ("gone",))


def test_a_database_that_never_answered_takes_the_choice_at_its_word() -> None:
    assert resolve(None, 5, ["old", "gone"]) == Selection(("old", "gone"), ())


def test_the_newest_of_a_task_are_those_of_that_task() -> None:
    assert resolve(KNOWN, 1, [], "letters") == Selection(("middle",), (), "letters")


def test_a_choice_takes_precedence_over_a_task() -> None:
    assert resolve(KNOWN, 1, ["old", "middle"], "letters") == Selection(("old", "middle"), ())


def test_the_task_of_the_most_experiments_comes_first_and_between_equals_that_of_the_newest() -> (
    None
):
    assert rank_tasks(KNOWN) == ["digits", "letters"]
    assert rank_tasks({"new": "letters", "old": "digits"}) == ["letters", "digits"]
