"""Verdict: the rules of the gate, from evidence and settings to PROMOTE, REFUSE or UNDECIDED.

doc/learning-loop.md states the rules. A change of them raises RULE_VERSION.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evaluation.paired_tests import holm
from pipeline.gate import texts
from pipeline.gate.evidence import (
    AUDIT,
    BASE_TEST,
    BOUND_ALPHA,
    MIN_DISCORDANT,
    Cells,
    Evidence,
    Facts,
    GateSettings,
    SetEvidence,
)

RULE_VERSION = 1
MAX_COST = 2  # times the size and the time of the champion


class Outcome(StrEnum):
    """Outcome of the gate. UNDECIDED means that further labels could decide."""

    PROMOTE = "PROMOTE"
    REFUSE = "REFUSE"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Verdict:
    """Verdict about a candidate.

    Attributes:
        outcome: the outcome.
        reasons: sentences, the decisive one first.
        sentence: the outcome with its first reason.
        closes_audit: whether the audit set could have shown a better candidate. From then on, no
            further image joins the audit set of the same two models: labels could otherwise be
            asked for until chance favors the candidate. Open requests may still be answered.
        rule_version: version of the rules.

    """

    outcome: Outcome
    reasons: tuple[str, ...]
    sentence: str
    closes_audit: bool = False
    rule_version: int = RULE_VERSION

    @property
    def asks_labels(self) -> bool:
        """Whether labels of further images could decide."""
        return self.outcome is Outcome.UNDECIDED and not self.closes_audit


class _Loss(StrEnum):
    """Result of the test that a candidate is not worse on a set."""

    RULED_OUT = "ruled out"
    NOT_SEEN = "not seen"  # the set is too small to rule it out, and shows none
    UNPROVEN = "unproven"
    SHOWN = "shown"


def decide(evidence: Evidence, settings: GateSettings) -> Verdict:
    """Return the verdict about a candidate."""
    reports = [_report(one) for one in evidence.sets if not one.decides and one.cells.images]
    failures = _failures(evidence.facts)
    if evidence.baseline is not None:
        return _decide_first(evidence, settings, failures)
    tests = _Tests(evidence, settings)
    losses = [loss for one in evidence.sets if one.decides for loss in _class_losses(one)]
    if failures or losses:
        return _verdict(Outcome.REFUSE, [*failures, *losses, *tests.sentences.values()], reports)
    outcome, reasons = _weigh(tests, settings) if tests.better else _weigh_open(tests, settings)
    verdict = _verdict(outcome, reasons, reports)
    return replace(verdict, closes_audit=tests.audit_can_prove and BASE_TEST not in tests.better)


class _Tests:
    """Tests for a better candidate on the deciding sets that have images."""

    def __init__(self, evidence: Evidence, settings: GateSettings) -> None:
        present = [
            (name, cells)
            for name in (BASE_TEST, AUDIT)
            if (cells := evidence.cells(name)).images + cells.unanswered
        ]
        self.cells: dict[str, Cells] = dict(present)
        # The level that Holm's correction asks of the smallest p-value.
        self.level = settings.alpha / max(len(present), 1)
        adjusted = holm([cells.p_better for _, cells in present])
        self.sentences: dict[str, str] = {}
        self.better: list[str] = []
        for (name, cells), p_value in zip(present, adjusted, strict=True):
            self.sentences[name] = texts.gain_test(
                name, cells, p_value, len(present), settings.alpha
            )
            if p_value > settings.alpha or cells.discordant < MIN_DISCORDANT:
                continue
            if cells.gain < settings.min_gain:
                self.sentences[name] = texts.too_small_gain(name, cells, settings)
                continue
            self.better.append(name)

    @property
    def audit(self) -> Cells:
        """Cells of the audit set."""
        return self.cells.get(AUDIT, Cells())

    @property
    def audit_can_prove(self) -> bool:
        """Whether the audit set has enough discordant images to show a better candidate."""
        return self.audit.can_prove(self.level)


def _weigh(tests: _Tests, settings: GateSettings) -> tuple[Outcome, list[str]]:
    """Decide about a candidate that is better on a set: it must not be worse on the other."""
    proofs = [tests.sentences[name] for name in tests.better]
    outcome, remarks = Outcome.PROMOTE, []
    for name, cells in tests.cells.items():
        if name in tests.better:
            continue
        loss, sentence = _loss(name, cells, settings)
        remarks.append(sentence)
        if loss is _Loss.SHOWN or (loss is _Loss.UNPROVEN and name == BASE_TEST):
            return Outcome.REFUSE, [sentence, *proofs]
        if loss is _Loss.UNPROVEN:
            outcome = Outcome.UNDECIDED
    if outcome is Outcome.UNDECIDED:
        return outcome, [*remarks, *proofs]
    if AUDIT not in tests.cells:
        remarks.append("audit: no label was asked for, so base-test alone decides.")
    return outcome, [*proofs, *remarks]


def _weigh_open(tests: _Tests, settings: GateSettings) -> tuple[Outcome, list[str]]:
    """Decide about a candidate that is not better: labels may still show that it is."""
    sentences = list(tests.sentences.values())
    audit = tests.audit
    if not audit.is_open(tests.level):
        return Outcome.REFUSE, sentences
    if BASE_TEST in tests.cells:
        loss, sentence = _loss(BASE_TEST, tests.cells[BASE_TEST], settings)
        if loss in (_Loss.SHOWN, _Loss.UNPROVEN):
            return Outcome.REFUSE, [sentence, *sentences]
    if audit.p_worse <= BOUND_ALPHA:
        return Outcome.REFUSE, [_loss(AUDIT, audit, settings)[1], *sentences]
    return Outcome.UNDECIDED, [*sentences, _open_reason(tests, settings)]


def _open_reason(tests: _Tests, settings: GateSettings) -> str:
    if tests.audit_can_prove:
        requests = texts.counted(tests.audit.unanswered, "request")
        return f"audit: answers to the {requests} could still show a better candidate."
    return (
        f"audit: {texts.counted(tests.audit.discordant, 'discordant image')} can never prove a "
        f"better candidate at {texts.probability(settings.alpha)}. Labels of images on which the "
        "two models disagree can."
    )


def _loss(name: str, cells: Cells, settings: GateSettings) -> tuple[_Loss, str]:
    """Test that the candidate is not worse on a set, and say so."""
    if cells.gain_lower > -settings.margin:
        return _Loss.RULED_OUT, texts.bound(name, cells, settings, holds=True)
    if cells.p_worse <= BOUND_ALPHA:
        return _Loss.SHOWN, texts.bound(name, cells, settings, holds=False)
    if cells.images + cells.unanswered >= settings.images_needed:
        return _Loss.UNPROVEN, texts.bound(name, cells, settings, holds=False)
    is_seen = cells.only_champion + cells.unanswered > cells.only_candidate
    return _Loss.UNPROVEN if is_seen else _Loss.NOT_SEEN, texts.small_set(name, cells, settings)


def _class_losses(one: SetEvidence) -> list[str]:
    """Return a sentence for each class on which the candidate is worse."""
    classes = sorted(one.by_class.items())
    adjusted = holm([cells.p_worse for _, cells in classes])
    return [
        texts.class_loss(one.name, label, cells, p_value, BOUND_ALPHA)
        for (label, cells), p_value in zip(classes, adjusted, strict=True)
        if p_value <= BOUND_ALPHA
    ]


def _decide_first(evidence: Evidence, settings: GateSettings, failures: Sequence[str]) -> Verdict:
    """Decide about the first model of a task: it must read more than a constant answer does."""
    cells = evidence.cells(BASE_TEST)
    remark = (
        "The task has no champion. The candidate is compared with the constant answer "
        f"{evidence.baseline}."
    )
    sentence = texts.gain_test(BASE_TEST, cells, cells.p_better, 1, settings.alpha).replace(
        "only the champion", "only the constant answer"
    )
    is_better = cells.p_better <= settings.alpha and cells.discordant >= MIN_DISCORDANT
    outcome = Outcome.PROMOTE if is_better and not failures else Outcome.REFUSE
    return _verdict(outcome, [*failures, sentence, remark], [])


def _failures(facts: Facts) -> list[str]:
    """Return a sentence for each measurement that forbids a promotion."""
    failures = []
    if facts.is_champion:
        failures.append("The candidate is the same file as the champion.")
    if not facts.parity_holds:
        failures.append("LiteRT and Keras disagree about the candidate, according to its card.")
    if facts.unpredicted:
        failures.append(
            f"The candidate never predicts {', '.join(facts.unpredicted)} on base-test."
        )
    if facts.contaminated:
        failures.append(
            f"{texts.counted(facts.contaminated)} of base-test are among the training images."
        )
    if facts.champion_bytes is not None and facts.candidate_bytes > MAX_COST * facts.champion_bytes:
        failures.append(
            f"The candidate has {facts.candidate_bytes:,} bytes, more than {MAX_COST} times the "
            f"{facts.champion_bytes:,} of the champion."
        )
    if (
        facts.champion_seconds is not None
        and facts.candidate_seconds > MAX_COST * facts.champion_seconds
    ):
        failures.append(
            f"The candidate takes {1e6 * facts.candidate_seconds:.1f} us an image, more than "
            f"{MAX_COST} times the {1e6 * facts.champion_seconds:.1f} us of the champion."
        )
    return failures


def _report(one: SetEvidence) -> str:
    return (
        f"{one.name}: {texts.wins(one.cells)} of {texts.counted(one.cells.images)}. "
        "Labels that were volunteered are reported and never decide."
    )


def _verdict(outcome: Outcome, reasons: Sequence[str], reports: Sequence[str]) -> Verdict:
    sentence = f"{outcome.capitalize()}: {reasons[0]}"
    return Verdict(outcome, (*reasons, *reports), sentence)
