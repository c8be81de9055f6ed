"""Robustness table: amounts in words, and differences to the champion in points."""

import pytest

from tests.support.web_robustness import make_result
from web.tables.robustness_table import describe_amount, robustness_table, weakest


def test_table_without_a_champion_has_the_own_accuracy() -> None:
    table = robustness_table(make_result(0.9), None)
    assert (len(table), list(table.columns)) == (28, ["corruption", "amount", "accuracy"])
    assert table.iloc[3].to_dict() == {
        "corruption": "rotation",
        "amount": "45 degrees",
        "accuracy": pytest.approx(60),
    }


def test_table_with_a_champion_has_the_difference() -> None:
    table = robustness_table(make_result(0.9), make_result(0.95))
    assert table["champion"].iloc[0] == pytest.approx(95)
    assert table["difference"].tolist() == pytest.approx([-5] * 28)


def test_weakest_is_the_lowest_accuracy() -> None:
    found = weakest(make_result(0.9))
    assert (found.corruption, describe_amount(found)) == ("rotation", "45 degrees")
