"""Evaluations: added once, in pages."""

from inference.database.learning.evaluations import Evaluations, NewEvaluation
from tests.support.fake_database import FakeDatabase


def test_add_sends_the_classes_as_json() -> None:
    database = FakeDatabase([{"evaluation_id": 1}])
    evaluation = NewEvaluation("d", "a", 1, "set", "e", 2, 1, {"7": {"images": 2}}, "ann")
    assert Evaluations(database).add(evaluation) == {"evaluation_id": 1}
    arguments = database.queries[0][1]
    assert isinstance(arguments, dict)
    assert (arguments["by_class"], arguments["correct"]) == ('{"7": {"images": 2}}', 1)


def test_page_has_the_id_of_its_last_row_if_more_follow() -> None:
    rows = [{"evaluation_id": number} for number in (9, 8)]
    database = FakeDatabase(rows, rows)
    assert Evaluations(database).page(("a", 2), "set", 1, 10) == (rows[:1], 9)
    assert database.queries[0][1] == {
        "experiment_name": "a", "version": 2, "image_set": "set", "before": 10, "limit": 2,
    }  # fmt: skip
    assert Evaluations(database).page((None, None), None, 2, None) == (rows, None)
