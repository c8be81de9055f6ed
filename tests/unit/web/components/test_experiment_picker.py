"""Selection of experiments."""

from web.components.experiment_picker import Selection, rank_tasks, resolve_selection

TASK_OF = {"new": "digits", "middle": "letters", "old": "digits"}


def test_default_selection_is_the_newest() -> None:
    assert resolve_selection(TASK_OF, 2, []) == Selection(("new", "middle"), ())


def test_large_number_selects_all() -> None:
    assert resolve_selection(TASK_OF, 99, []) == Selection(("new", "middle", "old"), ())


def test_picked_experiments_take_precedence_in_order() -> None:
    assert resolve_selection(TASK_OF, 2, ["old", "new"]) == Selection(("old", "new"), ())


def test_unknown_name_is_separate() -> None:
    assert resolve_selection(TASK_OF, 2, ["old", "gone"]) == Selection(("old",), ("gone",))


def test_every_name_is_accepted_without_a_database() -> None:
    assert resolve_selection(None, 5, ["old", "gone"]) == Selection(("old", "gone"), ())


def test_newest_of_a_task_are_of_that_task() -> None:
    assert resolve_selection(TASK_OF, 1, [], "letters") == Selection(("middle",), (), "letters")


def test_picked_experiments_take_precedence_over_task() -> None:
    assert resolve_selection(TASK_OF, 1, ["old", "middle"], "letters") == Selection(
        ("old", "middle"), ()
    )


def test_largest_task_comes_first() -> None:
    """Of equal ones, the task with the newest experiment comes first."""
    assert rank_tasks(TASK_OF) == ["digits", "letters"]
    assert rank_tasks({"new": "letters", "old": "digits"}) == ["letters", "digits"]


def test_no_number_selects_all_of_the_task() -> None:
    assert resolve_selection(TASK_OF, None, [], "digits") == Selection(
        ("new", "old"), (), "digits", is_all=True
    )


def test_archived_and_previous_names_are_found() -> None:
    others = {"archived": "archived", "before": "new"}
    assert resolve_selection(TASK_OF, 5, ["archived", "before", "new"], None, others) == Selection(
        ("archived", "new"), ()
    )
