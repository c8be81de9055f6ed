"""Limits: the highest value that is taken, and the lowest that is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tracking import limits
from tracking.errors import InvalidError
from tracking.runs import Entries, Point

LAST = 2**63 - 1
SURROGATE = "\ud800"


def point(metric: str = "loss", step: int = 0, logged_at: int = 0) -> Point:
    return Point(metric, step, logged_at, 1.0)


def refusal(check: Callable[..., None], *arguments: Any) -> InvalidError:
    """Return the error of a check that refuses its arguments."""
    with pytest.raises(InvalidError) as error:
        check(*arguments)
    return error.value


def test_points_at_the_limits_are_taken() -> None:
    limits.check_points([])
    limits.check_points([point(step=-LAST), point(step=LAST, logged_at=LAST)])
    limits.check_points([point(metric="m" * 250)] * 10_000)


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (point(metric=""), "points/1/metric"),
        (point(metric="m" * 251), "points/1/metric"),
        (point(metric="a\nb"), "points/1/metric"),
        (point(step=LAST + 1), "points/1/step"),
        (point(step=-LAST - 1), "points/1/step"),
        (point(logged_at=-1), "points/1/at"),
        (point(logged_at=LAST + 1), "points/1/at"),
    ],
)
def test_invalid_point_names_its_place(bad: Point, path: str) -> None:
    assert refusal(limits.check_points, [point(), bad]).path == path


def test_too_many_points_are_refused() -> None:
    error = refusal(limits.check_points, [point()] * 10_001)
    assert (error.path, error.detail) == (
        "points",
        "More than 10,000 points. Send fewer in one request.",
    )


@pytest.mark.parametrize(
    ("check", "path", "longest"),
    [(limits.check_params, "params", 6_000), (limits.check_tags, "tags", 8_000)],
)
def test_params_and_tags_have_limits(check: Callable[..., None], path: str, longest: int) -> None:
    check({f"key{number}": "v" for number in range(1_000)})
    check({"k" * 250: "v" * longest, "empty": ""})
    refused: list[dict[str, str]] = [
        {f"key{number}": "v" for number in range(1_001)},
        {"": "v"},
        {"k" * 251: "v"},
        {"tab\t": "v"},
        {"k": "v" * (longest + 1)},
        {"k": "zero \0"},
        {"k": SURROGATE},
    ]
    assert {refusal(check, entries).path for entries in refused} == {path}


def test_removed_tag_has_no_value_to_check() -> None:
    limits.check_tags({"a": None})
    assert refusal(limits.check_tags, {"": None}).path == "tags"


@pytest.mark.parametrize(
    ("entries", "path"),
    [
        (Entries([point(step=LAST + 1)]), "points/0/step"),
        (Entries(params={"": "v"}), "params"),
        (Entries(tags={"": "v"}), "tags"),
    ],
)
def test_every_part_of_entries_is_checked(entries: Entries, path: str) -> None:
    assert refusal(limits.check_entries, entries).path == path


@pytest.mark.parametrize(
    ("check", "path", "longest"),
    [(limits.check_note, "note", 100_000), (limits.check_owner, "owner", 250)],
)
def test_note_and_owner_have_limits(check: Callable[..., None], path: str, longest: int) -> None:
    check("")
    check("\N{GREEK SMALL LETTER ALPHA}\n" * (longest // 2))
    error = refusal(check, "x" * (longest + 1))
    assert (error.path, error.detail) == (
        path,
        f"The text is longer than {longest:,} characters.",
    )
    assert refusal(check, "zero \0").path == path


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (limits.check_name, ["a", "A-z_0.9", "n" * 128], ["", "n" * 129, "a b", "a/b", "é"]),
        (limits.check_task, ["a", "mnist-2_x", "t" * 32], ["", "t" * 33, "2x", "Mnist", "a.b"]),
        (
            limits.check_run_id,
            ["0" * 32, "0123456789abcdef" * 2],
            ["", "0" * 31, "0" * 33, "A" * 32, "g" * 32, "0" * 32 + "\n"],
        ),
    ],
)
def test_identifiers_follow_their_pattern(
    check: Callable[..., None], taken: list[str], refused: list[str]
) -> None:
    for text in taken:
        check(text)
    for text in refused:
        assert refusal(check, text).path in ("name", "task", "run_id")
