from datetime import UTC, datetime

import pytest

from tracking.errors import InvalidError
from tracking.mlflow.filters import EXPERIMENT_ATTRIBUTES, parse_filter, parse_orders
from tracking.runs import Condition, Order


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("metrics.loss < 1", [Condition("metric", "loss", "<", 1.0)]),
        ("metric.loss>=-1.5e-3", [Condition("metric", "loss", ">=", -0.0015)]),
        ("metrics.`val loss` != 0", [Condition("metric", "val loss", "!=", 0.0)]),
        ("params.lr = '0.1'", [Condition("param", "lr", "=", "0.1")]),
        ('params.lr = "it\'s"', [Condition("param", "lr", "=", "it's")]),
        ("params.lr = 'it''s'", [Condition("param", "lr", "=", "it's")]),
        ("tags.mlflow.user ILIKE '%ann%'", [Condition("tag", "mlflow.user", "ILIKE", "%ann%")]),
        ('tags."a.b c" like "x"', [Condition("tag", "a.b c", "LIKE", "x")]),
        ("tags.mlflow.runName = 'x'", [Condition("attribute", "name", "=", "x")]),
        ("tags.t IS NULL", [Condition("tag", "t", "IS NULL")]),
        ("params.p is not null", [Condition("param", "p", "LIKE", "%")]),
        ("attributes.status = 'FINISHED'", [Condition("attribute", "state", "=", "finished")]),
        ("run_name LIKE 'a%'", [Condition("attribute", "name", "LIKE", "a%")]),
        ("attr.`run name` = 'a'", [Condition("attribute", "name", "=", "a")]),
        ("run_id IN ('a', 'b')", [Condition("attribute", "run_id", "IN", ["a", "b"])]),
        ("run_id NOT IN ('a')", [Condition("attribute", "run_id", "NOT IN", ["a"])]),
        (
            "attributes.start_time > 1000",
            [Condition("attribute", "started_at", ">", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))],
        ),
        (
            "metrics.a > 1 and params.b = 'x AND y'",
            [Condition("metric", "a", ">", 1.0), Condition("param", "b", "=", "x AND y")],
        ),
    ],
)
def test_parse_filter_returns_conditions(text: str, expected: list[Condition]) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "metrics.loss",
        "metrics.loss <",
        "metrics.loss < 'a'",
        "metrics.loss < 1e999",
        "metrics.loss LIKE 'a'",
        "metrics.loss IS NULL",
        "metrics.loss < 1 OR metrics.a > 1",
        "metrics.loss < 1 AND",
        "(metrics.loss < 1)",
        "params.lr = 0.1",
        "params.lr = `0.1`",
        "params.lr > '0.1'",
        "params.lr IN ('a')",
        "params.lr RLIKE 'a'",
        "params.lr NOT LIKE 'a'",
        "dataset.name = 'a'",
        "lifecycle_stage = 'active'",
        "start_time = 'today'",
        "start_time > -1",
        "run_id IN ('a'",
        "run_id IN 'a'",
        "run_id IN ('a';'b')",
        "params.a = 'x'; DROP TABLE experiments",
        "params.a = 'x' -- comment",
        "params.a = 'unclosed",
        "x" * 10_001,
        " AND ".join(["params.a = 'b'"] * 51),
    ],
)
def test_parse_filter_unsupported_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match=r"[Ss]upported|characters|1970"):
        parse_filter(text)


def test_parse_filter_quotes_never_leave_the_value() -> None:
    [condition] = parse_filter("tags.`a' OR 1=1 --` = '%s; DROP TABLE runs'")
    assert condition == Condition("tag", "a' OR 1=1 --", "=", "%s; DROP TABLE runs")


def test_parse_filter_of_experiments_has_own_attributes() -> None:
    conditions = parse_filter("name LIKE 'm%' AND tags.k = 'v'", EXPERIMENT_ATTRIBUTES)
    assert conditions == [
        Condition("attribute", "name", "LIKE", "m%"),
        Condition("tag", "k", "=", "v"),
    ]
    with pytest.raises(InvalidError, match="creation_time"):
        parse_filter("status = 'x'", EXPERIMENT_ATTRIBUTES)


def test_parse_orders_reads_direction() -> None:
    texts = ["metrics.loss DESC", "params.`a b` asc", "start_time", "attribute.run_name desc"]
    assert parse_orders(texts) == [
        Order("metric", "loss", is_descending=True),
        Order("param", "a b"),
        Order("attribute", "started_at"),
        Order("attribute", "name", is_descending=True),
    ]


@pytest.mark.parametrize("text", ["metrics.loss DOWN", "loss", "", "start_time DESC, run_id"])
def test_parse_orders_unsupported_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_orders([text])
