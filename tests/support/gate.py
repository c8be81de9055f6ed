"""Evidence of the promotion gate for tests."""

from dataclasses import replace

from pipeline.gate.evidence import (
    AUDIT,
    BASE_TEST,
    CORRECTIONS,
    Cells,
    ClassCells,
    Evidence,
    Facts,
    SetEvidence,
)

FACTS = Facts(
    is_champion=False,
    parity_holds=True,
    unpredicted=(),
    candidate_bytes=250_000,
    champion_bytes=250_000,
    candidate_seconds=20e-6,
    champion_seconds=20e-6,
    contaminated=0,
)


def cells(
    only_champion: int, only_candidate: int, images: int = 10_000, unanswered: int = 0
) -> Cells:
    """Return cells of a set in which both models are right on all other images."""
    both_right = images - only_champion - only_candidate
    return Cells(both_right, only_champion, only_candidate, 0, unanswered)


def evidence(
    base_test: Cells | None = None,
    audit: Cells | None = None,
    corrections: Cells | None = None,
    *,
    classes: dict[str, ClassCells] | None = None,
    baseline: str | None = None,
    **facts: object,
) -> Evidence:
    """Return the evidence of these sets, and of facts that forbid nothing."""
    sets = [
        SetEvidence(name, one, classes or {} if name == BASE_TEST else {}, name != CORRECTIONS)
        for name, one in ((BASE_TEST, base_test), (AUDIT, audit), (CORRECTIONS, corrections))
        if one is not None
    ]
    return Evidence(tuple(sets), replace(FACTS, **facts), baseline)  # type: ignore[arg-type]
