"""Filter language: valid filters and error messages."""

from decimal import Decimal
from typing import Any

import pytest

from db.csv.columns import column_key
from web.data import filter_columns
from web.data.filter_columns import column_names
from web.data.filter_language import MAX_CHARACTERS, MAX_DEPTH, parse_filter
from web.data.filter_tokens import FilterError

KEYS = {"batch_size", "größe", "best_loss", "in", "weight_decay"}


def sql(text: str) -> str:
    condition = parse_filter(text, KEYS)
    assert condition is not None
    return condition.sql


def values(text: str) -> list[Any]:
    """Return the bound values."""
    condition = parse_filter(text, KEYS)
    assert condition is not None
    return [value for _, value in condition.parameters]


def error_of(text: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse_filter(text, KEYS)
    return caught.value


@pytest.mark.parametrize("text", ["", "  \n"])
def test_blank_text_is_not_a_filter(text: str) -> None:
    assert parse_filter(text, KEYS) is None


@pytest.mark.parametrize(
    ("sign", "in_sql"),
    [
        ("=", "="),
        ("==", "="),
        ("!=", "<>"),
        ("<>", "<>"),
        ("<", "<"),
        ("<=", "<="),
        (">", ">"),
        (">=", ">="),
    ],
)
def test_every_comparison_is_one_of_sql(sign: str, in_sql: str) -> None:
    assert sql(f"momentum{sign}0.9") == f"(momentum {in_sql} CAST(:filter_0 AS numeric))"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0.98", "0.98"),
        ("98 %", "0.98"),
        ("98%", "0.98"),
        ("1e-3", "0.001"),
        ("-2.5E+2", "-250"),
        (".5", "0.5"),
        ("3.", "3"),
    ],
)
def test_number_is_exact(written: str, number: str) -> None:
    assert values(f"momentum > {written}") == [Decimal(number)]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("lr", "learning_rate"),
        ("accuracy", "test_accuracy"),
        ("acc", "test_accuracy"),
        ("LOSS", "best_loss"),
        ("'Last Loss'", "last_loss"),
    ],
)
def test_column_has_synonyms(name: str, column: str) -> None:
    assert sql(f"{name} > 1").startswith(f"({column} >")


def test_precedence_is_not_and_or() -> None:
    parts = [f"(momentum = CAST(:filter_{number} AS numeric))" for number in range(3)]
    assert (
        sql("momentum = 1 or not momentum = 2 and momentum = 3")
        == f"({parts[0]} OR ((NOT {parts[1]}) AND {parts[2]}))"
    )
    assert (
        sql("(momentum = 1 || momentum = 2) && momentum = 3")
        == f"(({parts[0]} OR {parts[1]}) AND {parts[2]})"
    )
    assert sql("NOT momentum = 1") == sql("!(momentum = 1)") == f"(NOT {parts[0]})"


def test_values_and_keys_are_parameters_only() -> None:
    condition = parse_filter("größe = 'x'' OR 1=1 --' and experiment ~ \"a\"\"b:c\"", KEYS)
    assert condition is not None
    assert [value for _, value in condition.parameters] == ["größe", "x' OR 1=1 --", 'a"b:c']
    assert not any(part in condition.sql for part in ("größe", "1=1", 'a"b'))


@pytest.mark.parametrize("name", ["batch_size", "'batch size'", '"Batch Size"', "Batch_Size"])
def test_extra_column_has_its_key_or_its_title(name: str) -> None:
    assert values(f"{name} = x") == ["batch_size", "x"]


def test_extra_column_named_like_a_built_in_has_a_suffix() -> None:
    assert values("'best_loss (file)' = x") == ["best_loss", "x"]


def test_number_is_compared_with_numbers_only() -> None:
    assert "WHEN 'number' THEN CAST(" in sql("batch_size >= 64")
    assert "ELSE" not in sql("batch_size >= 64")
    assert "ELSE" in sql("batch_size = 64")


def test_title_becomes_the_key_of_the_importer() -> None:
    titles = ["Batch Size", "Test Accuracy (%)", "GRÖSSE  名前", "_a__b_"]
    assert [filter_columns.column_key(title) for title in titles] == [
        column_key(title) for title in titles
    ]


def test_text_search_and_list() -> None:
    assert (
        sql("architecture ~ LeNet")
        == "(strpos(lower(architecture), lower(CAST(:filter_0 AS text))) > 0)"
    )
    assert sql("architecture !~ LeNet").endswith("= 0)")
    assert (
        sql("task in (a, 'b c')")
        == "((task = CAST(:filter_0 AS text)) OR (task = CAST(:filter_1 AS text)))"
    )
    assert sql("task not in (a)") == "(NOT ((task = CAST(:filter_0 AS text))))"


@pytest.mark.parametrize("text", ["momentum is missing", "momentum = null", "momentum IS NULL"])
def test_missing_value_is_null(text: str) -> None:
    assert sql(text) == "(momentum IS NULL)"


@pytest.mark.parametrize("text", ["momentum is not missing", "momentum != null"])
def test_present_value_is_not_null(text: str) -> None:
    assert sql(text) == "(momentum IS NOT NULL)"


def test_quoted_keyword_is_a_column() -> None:
    assert values("'in' = x") == ["in", "x"]


@pytest.mark.parametrize(
    ("text", "marked", "suggestion"),
    [
        ("lr > 1 and acuracy > 0.9", "acuracy", "accuracy"),
        ("batchsize > 1", "batchsize", "batch_size"),
        ("zzz > 1", "zzz", None),
        ("lenet", "lenet", "experiment ~ lenet"),
        ("lr > high", "high", None),
        ("accuracy ~ 9", "~", "="),
        ("accuracy > 98", "98", "98 %"),
        ("accuracy > 101 %", "101", None),
        ("lr", "", None),
        ("lr 3", "3", None),
        ("lr >", "", None),
        ("lr > 1 momentum", "momentum", None),
        ("lr > 1 & lr < 2", "&", "and"),
        ("task = 'a", "'a", "'a'"),
        ("(lr > 1", "(", None),
        ("lr > 1)", ")", None),
        ("task in a", "a", None),
        ("task in (a", "(", None),
        ("task in (a b)", "b", None),
        ("task in (", "", None),
        ("and", "and", None),
        ("task is 3", "3", "missing"),
        ("lr > 1e999", "1e999", None),
        ("task = 'a\0'", "\0", None),
    ],
)
def test_error_marks_its_token_and_suggests(text: str, marked: str, suggestion: str | None) -> None:
    found = error_of(text)
    assert (text[found.position : found.position + found.length], found.suggestion) == (
        marked,
        suggestion,
    )
    assert found.message.endswith((".", ":"))


def test_filter_length_and_depth_are_limited() -> None:
    assert error_of("(" * (MAX_DEPTH + 1) + "lr > 1" + ")" * (MAX_DEPTH + 1)).position == MAX_DEPTH
    assert error_of("not " * MAX_CHARACTERS).position == MAX_CHARACTERS
    assert parse_filter("(" * MAX_DEPTH + "lr > 1" + ")" * MAX_DEPTH, KEYS) is not None


def test_every_column_is_listed_once() -> None:
    listed = column_names(KEYS)
    assert (listed[0], listed[-1], listed.count("best_loss")) == (
        "learning_rate",
        "weight_decay",
        1,
    )
