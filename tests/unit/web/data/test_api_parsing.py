"""Parsing of inference API responses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from web.data.api_parsing import (
    parse_alias,
    parse_current_label,
    parse_document,
    parse_image_results,
)
from web.data.api_types import ApiProblemError, Label, warnings_of

MOVE = {
    "event_id": 5,
    "moved_at": "2026-01-31T00:00:00+00:00",
    "experiment_name": "b",
    "version": 2,
    "from_experiment_name": "a",
    "from_version": 1,
    "moved_by": "ann",
    "reason": "better",
}
ALIAS: dict[str, Any] = {
    "task": "digits",
    "alias": "champion",
    "experiment_name": "b",
    "version": 2,
    "serving": "READY",
    "history": [MOVE],
    "before": {"experiment_name": "a", "version": 1},
}


def test_alias_has_its_moves_and_rollback_target() -> None:
    alias = parse_alias(ALIAS)
    assert (alias.experiment, alias.version, alias.rollback_target) == ("b", 2, ("a", 1))
    assert alias.moves[0].at == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_alias({**ALIAS, "before": None}).rollback_target is None


def test_current_label_is_the_one_without_replacement() -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    rows = [
        {"label": label, "labelled_by": "ann", "labelled_at": at.isoformat(), "replaced_at": end}
        for label, end in (("1", at.isoformat()), ("7", None))
    ]
    assert parse_current_label({"labels": rows}) == Label("7", "ann", at)
    assert parse_current_label({"labels": rows[:1]}) is None


@pytest.mark.parametrize("document", [None, 7, {}, {**ALIAS, "version": "x"}])
def test_unexpected_document_is_a_problem(document: Any) -> None:
    with pytest.raises(ApiProblemError, match="Check API_URL"):
        parse_document(parse_alias, document)


@pytest.mark.parametrize(
    ("entry", "warnings"),
    [({}, ()), ({"warnings": []}, ()), ({"warnings": ["no digit found"]}, ("no digit found",))],
)
def test_warnings_are_parsed_also_of_an_older_api(
    entry: dict[str, object], warnings: tuple[str, ...]
) -> None:
    [result] = parse_image_results({"predictions": [{"index": 0, "answers": [], **entry}]}, 1)
    assert warnings_of(result) == warnings
