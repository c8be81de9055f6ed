"""Code snippets of a run."""

import ast

from web.tables.tracking import snippets

API = "http://localhost:9090/api/v1.0"


def test_programs_are_valid_python() -> None:
    for program in (snippets.python(API, "it's"), snippets.mlflow(API, "0" * 32)):
        assert ast.parse(program).body
        assert "'http://localhost:9090'" in program


def test_curl_quotes_the_name() -> None:
    assert snippets.curl(API, "a&b").splitlines() == [
        f"curl {API}/experiments/a%26b",
        f"curl '{API}/experiments/a%26b/points?metric=loss'",
    ]


def test_sql_quotes_the_name() -> None:
    assert "experiment_name = 'it''s'" in snippets.sql("it's")
