"""Goals: rows for met, missed and unmeasured goals."""

from __future__ import annotations

from bench.batch_calls import BatchResult
from bench.harness.wrk import Load
from bench.model_repository import ChangeResult
from bench.reporting import goals


def load(p99_seconds: float, error_responses: int = 0) -> Load:
    return Load(
        1000,
        requests_per_second=1000,
        p50_seconds=0.001,
        p99_seconds=p99_seconds,
        error_responses=error_responses,
        unanswered=0,
    )


def test_batch_goals_without_result_are_unmeasured() -> None:
    assert {(row.met, row.measured) for row in goals.batch_goals(None, "it answers 404")} == {
        (None, "it answers 404")
    }


def test_batch_goals_compare_with_single_calls_and_litert() -> None:
    result = BatchResult(
        combined_cpu_seconds=[0.001],
        combined_latency_seconds=[0.001],
        single_cpu_seconds=[0.0002],
        single_latency_seconds=[0.0003],
        litert_cpu_seconds=[0.0007],
    )
    measured = [(row.measured.partition(" ")[0], row.met) for row in goals.batch_goals(result, "")]
    assert measured == [("1.11", True), ("4.80", True), ("7.20", True)]


def test_batch_goals_compare_with_the_better_runtime() -> None:
    result = BatchResult(
        combined_cpu_seconds=[1.0],
        combined_latency_seconds=[1.0],
        single_cpu_seconds=[1.0],
        single_latency_seconds=[1.0],
        litert_cpu_seconds=[1.0],
        images_per_second={1: [30_000]},
        runtime_images_per_second={1: {"LiteRT": [20_000], "ONNX Runtime": [40_000]}},
    )
    row = goals.batch_goals(result, "")[-1]
    assert (row.measured, row.met) == (
        "0.75 x (30,000 against 40,000 images/s of ONNX Runtime)",
        False,
    )


def test_change_goals_failed_request_misses_the_goal() -> None:
    result = ChangeResult(
        unchanged_loads=[load(0.002)],
        changed_loads=[load(0.0021, error_responses=3)],
        visible_seconds=[0.5, 1.5],
    )
    assert [row.met for row in goals.change_goals(result)] == [True, False, True]


def test_change_goals_invisible_change_misses_the_goal() -> None:
    result = ChangeResult(
        unchanged_loads=[load(0.002)], changed_loads=[load(0.002)], visible_seconds=[0.5, None]
    )
    assert [row.met for row in goals.change_goals(result)] == [False, True, None]
