"""Experiments are looked up by name."""

import pytest

from inference.database.experiments import Experiments
from inference.errors import UnknownExperimentError
from tests.support.fake_database import FakeDatabase


def test_one_returns_the_experiment_of_the_name() -> None:
    database = FakeDatabase([{"name": "a"}])
    assert Experiments(database).one("a") == {"name": "a"}
    assert database.queries[0][1] == {"name": "a"}


def test_one_without_a_row_raises() -> None:
    with pytest.raises(UnknownExperimentError, match="See GET /api"):
        Experiments(FakeDatabase([])).one("a")


def test_all_returns_the_rows() -> None:
    assert Experiments(FakeDatabase([{"name": "a"}, {"name": "b"}])).all() == [
        {"name": "a"},
        {"name": "b"},
    ]
