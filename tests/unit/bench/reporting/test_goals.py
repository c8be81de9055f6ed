"""What was measured becomes rows that say what was missed, and what could not be measured."""

from __future__ import annotations

from bench.directory import ChangeResult
from bench.harness.wrk import Load
from bench.reporting import goals
from bench.together import TogetherResult


def load(p99_seconds: float, refused: int = 0) -> Load:
    return Load(
        1000,
        requests_per_second=1000,
        p50_seconds=0.001,
        p99_seconds=p99_seconds,
        refused=refused,
        broken=0,
    )


def test_without_predictions_no_goal_of_theirs_is_met_or_missed() -> None:
    assert {(row.met, row.measured) for row in goals.of_together(None, "it answers 404")} == {
        (None, "it answers 404")
    }


def test_many_models_in_one_call_are_held_against_single_calls_and_against_litert_alone() -> None:
    result = TogetherResult(
        together_cpu=[0.001],
        together_wait=[0.001],
        single_cpu=[0.0002],
        single_wait=[0.0003],
        litert_cpu=[0.0007],
    )
    measured = [(row.measured.partition(" ")[0], row.met) for row in goals.of_together(result, "")]
    assert measured == [("1.11", True), ("4.80", True), ("7.20", True)]


def test_the_batch_is_held_against_the_better_runtime() -> None:
    result = TogetherResult(
        together_cpu=[1.0],
        together_wait=[1.0],
        single_cpu=[1.0],
        single_wait=[1.0],
        litert_cpu=[1.0],
        images_per_second={1: [30_000]},
        runtime_images_per_second={1: {"LiteRT": [20_000], "ONNX Runtime": [40_000]}},
    )
    row = goals.of_together(result, "")[-1]
    assert (row.measured, row.met) == (
        "0.75 x (30,000 against 40,000 images/s of ONNX Runtime)",
        False,
    )


def test_a_request_that_failed_while_models_changed_misses_the_goal() -> None:
    result = ChangeResult(
        still=[load(0.002)], changing=[load(0.0021, refused=3)], visible_seconds=[0.5, 1.5]
    )
    assert [row.met for row in goals.of_changes(result)] == [True, False, True]


def test_a_change_that_is_never_seen_misses_its_goal_and_says_nothing_of_the_others() -> None:
    result = ChangeResult(still=[load(0.002)], changing=[load(0.002)], visible_seconds=[0.5, None])
    assert [row.met for row in goals.of_changes(result)] == [False, True, None]
