"""Tables and descriptions of pipeline runs."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.fake_learning import (
    NOW,
    make_comparison,
    make_decision,
    make_detail,
    make_run,
    make_step,
    make_training,
)
from web.tables import pipeline_runs
from web.tables.pipeline_runs import (
    advise,
    cells_table,
    describe_comparison,
    describe_trigger,
    format_gain,
    format_p,
    further_reasons,
    loss_frame,
    name_training,
    run_table,
    verdict_sentence,
)


def test_run_is_a_row() -> None:
    [row] = run_table([make_run()], NOW).to_dict("records")
    assert row == {
        "run": 7,
        "state": ["Succeeded"],
        "verdict": ["Refuse"],
        "gain": "+0.16 (at least \N{MINUS SIGN}0.02)",
        "experiment": "ready_1",
        "trigger": "new labels + 2 more",
        "by": "w1",
        "dataset": "abababab \N{MIDDLE DOT} 70,312",
        "started": "2 h ago",
        "took": "1 h",
    }


def test_queued_run_has_no_time_and_no_dataset() -> None:
    run = make_run(
        state="QUEUED",
        started_at=None,
        finished_at=None,
        dataset_digest=None,
        verdict=None,
        gain=None,
        triggers=(),
    )
    [row] = run_table([run], NOW).to_dict("records")
    assert (row["took"], row["dataset"], row["verdict"], row["gain"], row["by"]) == (
        None,
        None,
        [],
        None,
        None,
    )
    assert describe_trigger(run) == pipeline_runs.EMPTY


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"verdict": "PROMOTE"}, "Promote"),
        ({"verdict": "PROMOTE", "is_promoted": True}, "Promoted"),
        ({"verdict": "PROMOTE", "is_promoted": True, "is_rolled_back": True}, "Rolled back"),
    ],
)
def test_verdict_says_whether_it_was_carried_out(changes: dict[str, Any], verdict: str) -> None:
    assert pipeline_runs.describe_verdict(make_run(**changes)) == [verdict]


def test_gain_without_a_bound_has_none() -> None:
    assert format_gain(0.0, None) == "0.00"


def test_stored_sentence_of_the_gate_is_used() -> None:
    compare = make_step("compare", outputs={"sentence": "As stored."})
    assert verdict_sentence(make_detail(steps=(compare,))) == "As stored."


def test_sentence_is_made_of_the_cells() -> None:
    assert describe_comparison(make_comparison(only_candidate=1), make_decision()) == (
        "Only the candidate reads 1 image, only the champion 18: p = 0.018; the gate asks for less"
        " than 0.01."
    )


def test_cells_of_a_first_model_name_the_constant_answer() -> None:
    decision = replace(make_decision(), champion=None)
    assert "only the constant answer 18: p" in describe_comparison(make_comparison(), decision)
    assert cells_table(make_comparison(), decision).startswith(
        "| | Constant answer correct | Constant answer wrong |"
    )
    assert "| | Champion correct | Champion wrong |" in cells_table(
        make_comparison(), make_decision()
    )


def test_run_without_a_verdict_has_no_sentence() -> None:
    assert verdict_sentence(make_detail(decision=None)) == ""


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"state": "RUNNING"}, ""),
        ({"state": "FAILED"}, "press Retry"),
        ({"state": "CANCELLED"}, "Press Retry"),
        ({"needs_promotion": True, "verdict": "PROMOTE"}, "The alias was not moved"),
        ({"verdict": "PROMOTE"}, "press Promote"),
        ({"verdict": "PROMOTE", "is_promoted": True}, ""),
        ({"verdict": "REFUSE"}, ""),
        ({"verdict": "UNDECIDED"}, "More labels"),
    ],
)
def test_advice_fits_the_state(changes: dict[str, Any], advice: str) -> None:
    advised = advise(make_detail(make_run(**changes)))
    assert advised == advice if not advice else advice in advised


def test_losses_are_in_long_form() -> None:
    frame = loss_frame((make_training(1), make_training(2, None)))
    assert frame.to_numpy().tolist() == [
        ["seed 1", 100.0, 2.0],
        ["seed 1", 200.0, 0.5],
        ["seed 2", 100.0, 2.0],
        ["seed 2", 200.0, 0.5],
    ]


def test_trials_are_named_by_their_fold() -> None:
    assert name_training(make_training(0, trial=3, fold=2)) == "trial 3 fold 2"
    assert name_training(make_training(0, trial=3)) == "trial 3"


def test_sentence_repeats_no_reason() -> None:
    reasons = ("Not better: p = 0.02.", "No class is worse.")
    assert further_reasons("Refuse. Not better: p = 0.02.", reasons) == ["No class is worse."]


def test_p_value_of_zero_is_a_bound() -> None:
    assert (format_p(0.0184), format_p(0.0)) == ("p = 0.018", "p < 1e-300")
