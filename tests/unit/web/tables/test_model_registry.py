"""Tables and descriptions of the Models page."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fakes import make_version
from web.data.api_types import AliasMove
from web.data.monitoring.replicas import Served
from web.tables.model_registry import (
    alias_move_table,
    describe_input,
    describe_parity,
    describe_probe,
    describe_probe_warning,
    describe_size,
    parity_status,
    reconcile,
    sort_versions,
    version_table,
)

MISREADING: dict[str, Any] = {
    "accuracy": 0.12,
    "digits": 200,
    "best": {"accuracy": 0.91, "input": {"invert": True}, "classes": None},
    "sentence": "12 % as stated; 91 % with input.invert: true",
    "passed": False,
    "warning": True,
}
SAME = {"images": 10_000, "max_abs_difference": 2.3e-6, "equal_argmax": True}


def test_versions_sort_by_task_accuracy_and_age() -> None:
    found = sort_versions(
        [
            make_version("odd", task="parity", test_accuracy=0.999),
            make_version("a", 1, test_accuracy=0.9),
            make_version("none", test_accuracy=None),
            make_version("a", 2, test_accuracy=0.9),
            make_version("best", test_accuracy=0.99),
        ]
    )
    assert [(version.name, version.version) for version in found] == [
        ("best", 1),
        ("a", 2),
        ("a", 1),
        ("none", 1),
        ("odd", 1),
    ]


def test_version_table_has_missing_values() -> None:
    table = version_table(
        [
            make_version("a", aliases=("champion", "tried"), parity=SAME),
            make_version("b", state="FAILED", bytes=None),
        ]
    )
    assert table["aliases"].tolist() == ["\N{BLACK STAR} champion, tried", ""]
    assert (table["state"].tolist(), table["parity"].tolist()) == (
        ["Ready", "Failed"],
        ["Matches", "Not compared"],
    )
    assert table["size"].isna().tolist() == [False, True]


def test_version_table_counts_replicas_by_content() -> None:
    versions = [make_version("a"), make_version("b")]
    assert version_table(versions)["replicas"].isna().all()
    served = Served(3, {("a", 1, versions[0].digest): 2})
    assert version_table(versions, served=served)["replicas"].tolist() == [
        "2 of 3 replicas",
        "0 of 3 replicas",
    ]


def test_parity_matches_only_within_rounding() -> None:
    assert [
        parity_status({**SAME, **change})
        for change in (
            {},
            {"max_abs_difference": 3e-5, "limit": 2e-4},
            {"max_abs_difference": 0.1},
            {"equal_argmax": False},
            {"images": 0},
        )
    ] == [
        "Matches",
        "Matches",
        "Differs",
        "Differs",
        "Not compared",
    ]
    assert describe_parity(SAME) == (
        "LiteRT matches Keras: same labels on 10,000 images, probabilities differ by up to 2e-06."
    )


def test_input_is_described() -> None:
    inverted = make_version(
        "a",
        input_spec={"height": 14, "width": 28, "scale": 1 / 255, "invert": True},
        output="logits",
    )
    assert describe_input(inverted) == (
        "Black digit on white, 0-1, 14 x 28 float32. Output: 10 logits (the service converts them"
        " to probabilities)."
    )


@pytest.mark.parametrize(
    ("spec", "described"),
    [
        ({"offset": -1.0, "scale": 2 / 255}, "White digit on black, -1 to 1, 28 x 28 float32."),
        (
            {"height": 32, "width": 32, "fit": "pad", "channels": 3, "transpose": True},
            "White digit on black, 0-255, 32 x 32 x 3 float32 padded transposed.",
        ),
    ],
)
def test_unusual_input_is_described(spec: dict[str, Any], described: str) -> None:
    usual = make_version("a").input_spec
    version = make_version("a", input_spec={**usual, **spec})
    assert describe_input(version).startswith(described)


def test_probe_is_a_percentage_or_missing() -> None:
    unprobed = {"accuracy": None, "sentence": "No probe", "warning": False, "best": None}
    versions = [
        make_version("a", probe=MISREADING),
        make_version("b", probe=unprobed),
        make_version("c"),
    ]
    table = version_table(versions)
    assert table["probe"].fillna(-1).tolist() == [12, -1, -1]
    assert [describe_probe(version) for version in versions[1:]] == ["No probe.", "Not read yet."]


def test_probe_warning_names_the_better_card() -> None:
    assert describe_probe_warning(make_version("a", probe=MISREADING)) == (
        "12 % as stated; 91 % with input.invert: true. "
        'Add {"input": {"invert": true}} to its card.json.'
    )
    unknown = describe_probe_warning(make_version("a", probe={**MISREADING, "best": None}))
    assert unknown is not None
    assert "wrong order of the classes" in unknown
    assert describe_probe_warning(make_version("a", probe={**MISREADING, "warning": False})) is None
    assert describe_probe_warning(make_version("a")) is None


def test_size_of_an_unloaded_model() -> None:
    assert "loaded on the first request" in describe_size(make_version("a", memory_bytes=0))


def test_reconcile_finds_unmatched_names() -> None:
    assert reconcile(
        ["b", "a", "c"], [make_version("c"), make_version("z"), make_version("z", 2)]
    ) == (["b", "a"], ["z"])


def test_alias_move_has_its_previous_target() -> None:
    first = AliasMove(datetime(2026, 1, 31, tzinfo=UTC), "a", 1, None, None, "ann", "first")
    last = AliasMove(first.at, "b", 2, "a", 1, "bob", "better", event_id=5)
    table = alias_move_table([last, first], {5: 20})
    assert (table["to"].tolist(), table["from"].fillna("").tolist()) == (
        ["b@2", "a@1"],
        ["a@1", ""],
    )
    assert table["run"].fillna("").tolist() == ["pipelines?run=20", ""]
