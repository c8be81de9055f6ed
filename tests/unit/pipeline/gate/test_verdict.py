"""Rules of the gate."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gate.evidence import Cells, ClassCells, Evidence, GateSettings
from pipeline.gate.verdict import RULE_VERSION, Outcome, decide
from tests.support.gate import cells, evidence

SETTINGS = GateSettings()
MANUAL = GateSettings(alpha=0.05)
WINS = "60 images only the candidate reads, 18 only the champion"
BETTER, EQUAL, WORSE = cells(18, 60), cells(40, 44), cells(90, 40)
COUNTS = st.integers(0, 120)


def test_decide_better_on_base_test_promotes() -> None:
    verdict = decide(evidence(BETTER), SETTINGS)
    assert verdict.outcome is Outcome.PROMOTE
    assert verdict.rule_version == RULE_VERSION
    assert verdict.reasons == (
        f"base-test: {WINS}: p = 9.9e-07; .01 is required.",
        "audit: no label was asked for, so base-test alone decides.",
    )
    assert verdict.sentence == f"Promote: {verdict.reasons[0]}"


def test_decide_p_above_alpha_says_so() -> None:
    verdict = decide(evidence(cells(18, 34), cells(20, 22, 300)), SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.reasons[0] == (
        "base-test: 34 images only the candidate reads, 18 only the champion: p = .018, "
        ".036 after Holm's correction for 2 sets; .01 is required."
    )


def test_decide_alpha_of_a_person_is_higher() -> None:
    found = evidence(cells(18, 34), cells(0, 0, 1200))
    assert decide(found, MANUAL).outcome is Outcome.PROMOTE
    assert decide(found, SETTINGS).outcome is Outcome.UNDECIDED


def test_decide_holm_over_both_sets() -> None:
    """p = .034 is enough for one set and too much for two."""
    base_test = cells(18, 32)
    assert decide(evidence(base_test), MANUAL).outcome is Outcome.PROMOTE
    assert decide(evidence(base_test, cells(10, 10, 1200)), MANUAL).outcome is Outcome.REFUSE
    assert decide(evidence(base_test, cells(10, 24, 1200)), MANUAL).outcome is Outcome.PROMOTE


def test_decide_gain_below_the_minimum_refuses() -> None:
    verdict = decide(evidence(cells(0, 9), cells(8, 8, 300)), SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.reasons[0] == (
        "base-test: the gain is +0.09 points; at least 0.1 points are required."
    )
    assert decide(evidence(cells(0, 10), None), SETTINGS).outcome is Outcome.PROMOTE


def test_decide_better_on_audit_and_worse_on_base_test() -> None:
    audit = cells(100, 200, 300)
    assert decide(evidence(EQUAL, audit), SETTINGS).outcome is Outcome.PROMOTE
    verdict = decide(evidence(WORSE, audit), SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.reasons[0].startswith("base-test: 40 images only the candidate reads, 90 only")
    assert "not above the limit of -0.30 points" in verdict.reasons[0]


def test_decide_loss_that_is_not_ruled_out_refuses() -> None:
    """Not significantly worse, but a loss of 0.3 points is possible."""
    base_test, audit = cells(110, 95), cells(100, 200, 300)
    assert base_test.p_worse > 0.05
    assert decide(evidence(base_test, audit), SETTINGS).outcome is Outcome.REFUSE


def test_decide_better_on_base_test_and_worse_on_audit_refuses() -> None:
    verdict = decide(evidence(BETTER, cells(12, 2, 300)), SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.reasons[0].startswith("audit: 2 images only the candidate reads, 12 only")


def test_decide_small_audit_without_a_loss_promotes() -> None:
    verdict = decide(evidence(BETTER, cells(1, 1, 22)), SETTINGS)
    assert verdict.outcome is Outcome.PROMOTE
    assert (
        "audit: 22 images cannot rule out a loss of 0.3 points, for which 998 are required."
        in verdict.reasons[1]
    )


def test_decide_small_audit_with_a_loss_asks_labels() -> None:
    verdict = decide(evidence(BETTER, cells(2, 1, 22)), SETTINGS)
    assert (verdict.outcome, verdict.asks_labels) == (Outcome.UNDECIDED, True)


def test_decide_unanswered_requests_are_a_loss() -> None:
    verdict = decide(evidence(BETTER, cells(1, 1, 22, unanswered=1)), SETTINGS)
    assert verdict.outcome is Outcome.UNDECIDED


def test_decide_large_audit_that_rules_nothing_out_asks_labels() -> None:
    verdict = decide(evidence(BETTER, cells(12, 8, 1000)), SETTINGS)
    assert (verdict.outcome, verdict.asks_labels) == (Outcome.UNDECIDED, True)


@pytest.mark.parametrize("audit", [None, cells(0, 4, 300), cells(2, 2, 300)], ids=str)
def test_decide_too_few_discordant_images_is_undecided(audit: Cells | None) -> None:
    verdict = decide(evidence(EQUAL, audit), MANUAL)
    assert (verdict.outcome, verdict.asks_labels) == (Outcome.UNDECIDED, True)
    assert "can never prove a better candidate at .05" in verdict.reasons[-1]


def test_decide_four_discordant_images_never_promote() -> None:
    """Four of four images give p = .0625, whatever the level."""
    assert decide(evidence(cells(0, 4)), GateSettings(alpha=0.5)).outcome is Outcome.UNDECIDED


def test_decide_worse_on_base_test_asks_no_labels() -> None:
    assert decide(evidence(WORSE), SETTINGS).outcome is Outcome.REFUSE


def test_decide_worse_on_audit_asks_no_labels() -> None:
    assert decide(evidence(EQUAL, cells(6, 0, 300)), SETTINGS).outcome is Outcome.REFUSE


def test_decide_unanswered_count_for_the_champion() -> None:
    answered = cells(30, 70, 100)
    assert decide(evidence(EQUAL, answered), SETTINGS).outcome is Outcome.PROMOTE
    open_requests = decide(evidence(EQUAL, cells(30, 70, 100, unanswered=20)), SETTINGS)
    assert open_requests.outcome is Outcome.UNDECIDED
    assert "answers to the 20 requests could still show" in open_requests.reasons[-1]
    assert not open_requests.asks_labels
    hopeless = decide(evidence(EQUAL, cells(70, 30, 100, unanswered=20)), SETTINGS)
    assert hopeless.outcome is Outcome.REFUSE


def test_decide_closes_the_audit_once_it_could_prove() -> None:
    assert decide(evidence(EQUAL, cells(10, 12, 300)), SETTINGS).closes_audit
    assert not decide(evidence(EQUAL, cells(3, 4, 300)), SETTINGS).closes_audit
    assert not decide(evidence(BETTER, cells(12, 8, 1000)), SETTINGS).closes_audit


def test_decide_corrections_never_decide() -> None:
    found = evidence(EQUAL, None, cells(0, 64, 119))
    verdict = decide(found, MANUAL)
    assert decide(evidence(EQUAL, None, cells(0, 0, 0)), MANUAL).reasons == verdict.reasons[:-1]
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reasons[-1].startswith("corrections: 64 images only the candidate reads, 0")
    assert decide(evidence(BETTER, None, cells(64, 0, 119)), MANUAL).outcome is Outcome.PROMOTE


def test_decide_class_loss_refuses() -> None:
    classes = {str(digit): ClassCells(1000, 4, 4) for digit in range(9)}
    verdict = decide(evidence(BETTER, classes=classes | {"9": ClassCells(1000, 20, 2)}), SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.reasons[0] == (
        "base-test: the candidate is worse on the 1,000 images of the class 9. 2 images only the "
        "candidate reads, 20 only the champion: p = .00061 after Holm's correction for all "
        "classes; above .05 is required."
    )
    within = classes | {"9": ClassCells(1000, 12, 3)}  # p = .018, .18 after the correction
    assert decide(evidence(BETTER, classes=within), SETTINGS).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(
    ("fact", "value", "reason"),
    [
        ("is_champion", True, "the same file as the champion"),
        ("parity_holds", False, "LiteRT and Keras disagree"),
        ("unpredicted", ("4", "7"), "never predicts 4, 7 on base-test"),
        ("contaminated", 3, "3 images of base-test are among the training images"),
        ("candidate_bytes", 500_001, "has 500,001 bytes, more than 2 times the 250,000"),
        ("candidate_seconds", 41e-6, "takes 41.0 us an image, more than 2 times the 20.0 us"),
    ],
)
def test_decide_forbidding_fact_refuses(fact: str, value: object, reason: str) -> None:
    found = evidence(BETTER)
    forbidden = replace(found, facts=replace(found.facts, **{fact: value}))  # type: ignore[arg-type]
    verdict = decide(forbidden, SETTINGS)
    assert verdict.outcome is Outcome.REFUSE
    assert reason in verdict.reasons[0]
    assert verdict.reasons[1].startswith("base-test: 60 images only the candidate reads")
    assert decide(found, SETTINGS).outcome is Outcome.PROMOTE


def test_decide_first_model_must_beat_a_constant_answer() -> None:
    verdict = decide(first_evidence(cells(300, 8000)), SETTINGS)
    assert verdict.outcome is Outcome.PROMOTE
    assert verdict.reasons[0] == (
        "base-test: 8,000 images only the candidate reads, 300 only the constant answer: "
        "p < 1e-300; .01 is required."
    )
    assert verdict.reasons[1] == (
        "The task has no champion. The candidate is compared with the constant answer 1."
    )
    assert decide(first_evidence(cells(300, 310)), SETTINGS).outcome is Outcome.REFUSE
    broken = first_evidence(cells(300, 8000), unpredicted=("4",))
    assert decide(broken, SETTINGS).outcome is Outcome.REFUSE


def first_evidence(base_test: Cells, unpredicted: tuple[str, ...] = ()) -> Evidence:
    return evidence(
        base_test,
        baseline="1",
        champion_bytes=None,
        champion_seconds=None,
        unpredicted=unpredicted,
    )


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 30))
def test_decide_promotes_only_what_a_test_proves(
    base_lost: int, base_won: int, lost: int, won: int, unanswered: int
) -> None:
    base_test, audit = cells(base_lost, base_won), cells(lost, won, 300, unanswered)
    verdict = decide(evidence(base_test, audit), MANUAL)
    assert verdict.reasons
    assert all(reason.endswith(".") for reason in verdict.reasons)
    if verdict.outcome is Outcome.PROMOTE:
        assert min(base_test.p_better, audit.p_better) <= MANUAL.alpha / 2
        for one in (base_test, audit):
            assert one.p_better <= MANUAL.alpha or (
                one.gain_lower > -MANUAL.margin or one.only_candidate >= one.only_champion
            )


@given(COUNTS, COUNTS, st.integers(0, 30))
def test_decide_worse_answers_never_help(lost: int, won: int, unanswered: int) -> None:
    """Fewer wins, more losses or unanswered requests turn no other verdict into PROMOTE."""
    before = decide(evidence(EQUAL, cells(lost, won, 300, unanswered)), MANUAL)
    if before.outcome is Outcome.PROMOTE:
        return
    for worse in (
        cells(lost + 1, won, 300, unanswered),
        cells(lost, max(won - 1, 0), 300, unanswered),
        cells(lost, won, 300, unanswered + 1),
    ):
        assert decide(evidence(EQUAL, worse), MANUAL).outcome is not Outcome.PROMOTE
