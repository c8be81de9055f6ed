"""What the page Models says."""

import subprocess
from datetime import UTC, datetime

from tests.support.fakes import make_version
from web.data.api_client import Move
from web.tables.model_registry import (
    contract_sentence,
    curl,
    curl_many,
    move_table,
    order,
    parity_sentence,
    parity_word,
    python,
    reconcile,
    size_sentence,
    version_table,
)

SAME = {"images": 10_000, "max_abs_difference": 2.3e-6, "equal_argmax": True}


def test_the_most_accurate_of_a_task_comes_first_and_of_a_name_the_newest() -> None:
    found = order(
        [
            make_version("odd", task="parity", test_accuracy=0.999),
            make_version("a", 1, test_accuracy=0.9),
            make_version("none", test_accuracy=None),
            make_version("a", 2, test_accuracy=0.9),
            make_version("best", test_accuracy=0.99),
        ]
    )
    assert [(each.name, each.version) for each in found] == [
        ("best", 1),
        ("a", 2),
        ("a", 1),
        ("none", 1),
        ("odd", 1),
    ]


def test_the_table_has_what_is_missing_as_missing() -> None:
    table = version_table(
        [
            make_version("a", aliases=("champion", "tried"), parity=SAME),
            make_version("b", state="FAILED", bytes=None),
        ]
    )
    assert table["aliases"].tolist() == ["\N{BLACK STAR} champion, tried", ""]
    assert (table["state"].tolist(), table["parity"].tolist()) == (
        ["Ready", "Failed"],
        ["same", "not compared"],
    )
    assert table["size"].isna().tolist() == [False, True]


def test_parity_is_the_same_only_within_rounding() -> None:
    assert [
        parity_word({**SAME, **change})
        for change in ({}, {"max_abs_difference": 0.1}, {"equal_argmax": False}, {"images": 0})
    ] == [
        "same",
        "differs",
        "differs",
        "not compared",
    ]
    assert parity_sentence(SAME) == (
        "LiteRT and Keras give the same label for each of 10,000 images; probabilities differ by 2e-06 at most."
    )


def test_a_contract_is_told_in_a_sentence() -> None:
    inverted = make_version(
        "a", contract={"height": 14, "width": 28, "scale": 1 / 255, "invert": True}, output="logits"
    )
    assert contract_sentence(inverted) == (
        "14 x 28 float32 of 0 to 1, ink low, paper high; gives logits, which the service turns into probabilities, of 10 classes."
    )


def test_a_model_that_is_not_in_memory_says_so() -> None:
    assert "not in memory until somebody asks" in size_sentence(make_version("a", memory_bytes=0))


def test_both_sides_are_reconciled() -> None:
    assert reconcile(
        ["b", "a", "c"], [make_version("c"), make_version("z"), make_version("z", 2)]
    ) == (["b", "a"], ["z"])


def test_a_move_keeps_where_it_came_from() -> None:
    first = Move(datetime(2026, 1, 31, tzinfo=UTC), "a", 1, None, None, "ann", "first")
    table = move_table([Move(first.at, "b", 2, "a", 1, "bob", "better"), first])
    assert (table["to"].tolist(), table["from"].fillna("").tolist()) == (
        ["b@2", "a@1"],
        ["a@1", ""],
    )


def test_what_is_copied_is_quoted() -> None:
    hostile = "a'; touch hacked; '"
    arguments = subprocess.run(
        ["/bin/bash", "-c", curl("http://x", hostile).replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        "image_blob=@digit.png",
        f"http://x/inference?experiment_name={hostile}",
    ]
    compile(python("http://x", hostile), "copied", "exec")


def test_a_file_of_any_name_reaches_curl_as_it_is() -> None:
    command = curl_many("http://x", ["a b", "c"], ['we"ird; n\\ame.png', "plain.png"])
    arguments = subprocess.run(
        ["/bin/bash", "-c", command.replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        'images=@"we\\"ird; n\\\\ame.png"',
        "-F",
        "images=@plain.png",
        "http://x/predictions?experiments=a+b&experiments=c",
    ]
