"""Stored verdicts: evidence and settings as rows of Postgres, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from pipeline.database import Database, Record
from pipeline.gate.evidence import Cells, ClassCells, Evidence, Facts, GateSettings, SetEvidence
from pipeline.gate.verdict import Verdict, decide

TOLERANCE = 1e-12  # of stored numbers, which Postgres keeps exactly

INSERT_COMPARISON = """
INSERT INTO comparisons (run_id, image_set, set_digest, champion_digest, candidate_digest, images,
    both_right, only_champion, only_candidate, both_wrong, unanswered, p_better, gain, gain_lower,
    by_class, discordant, decides)
VALUES (%(run_id)s, %(image_set)s, %(set_digest)s, %(champion_digest)s, %(candidate_digest)s,
    %(images)s, %(both_right)s, %(only_champion)s, %(only_candidate)s, %(both_wrong)s,
    %(unanswered)s, %(p_better)s, %(gain)s, %(gain_lower)s, %(by_class)s, %(discordant)s,
    %(decides)s)
"""
INSERT_DECISION = """
INSERT INTO promotion_decisions (run_id, verdict, rule_version, settings, reasons, champion_name,
    champion_version, champion_digest, candidate_name, candidate_digest, expected_event_id)
VALUES (%(run_id)s, %(verdict)s, %(rule_version)s, %(settings)s, %(reasons)s, %(champion_name)s,
    %(champion_version)s, %(champion_digest)s, %(candidate_name)s, %(candidate_digest)s,
    %(expected_event_id)s)
"""
# The rows of one comparison are written in one transaction, and have its time.
SELECT_DECISION = """
SELECT d.* FROM promotion_decisions d
WHERE d.run_id = %s
  AND EXISTS (SELECT FROM comparisons c WHERE c.run_id = d.run_id AND c.at = d.at)
ORDER BY d.id DESC LIMIT 1
"""
SELECT_COMPARISONS = """
SELECT * FROM comparisons WHERE run_id = %s AND at = %s ORDER BY image_set
"""
# The step promote refuses if the champion has changed since the verdict.
SELECT_LATER = """
SELECT verdict, reasons FROM promotion_decisions WHERE run_id = %s AND id > %s
ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True)
class Comparison:
    """A comparison to store: its evidence and the images on which exactly one model is correct."""

    evidence: SetEvidence
    set_digest: str
    discordant: list[dict[str, Any]]


@dataclass(frozen=True)
class Decision:
    """Models of a verdict, by the sha256 of model.tflite; the champion's are None without one."""

    run_id: int
    champion_name: str | None
    champion_version: int | None
    champion_digest: str | None
    candidate_name: str
    candidate_digest: str
    expected_event_id: int | None


@dataclass(frozen=True)
class StoredVerdict:
    """Verdict of a run, with its evidence, and the verdict that follows from the evidence now.

    `differences` are sentences about everything that differs between the two. `later` is a verdict
    of the run that rests on no evidence, None without one.
    """

    row: Record
    later: Record | None
    evidence: Evidence
    settings: GateSettings
    computed: Verdict
    differences: tuple[str, ...]


def store_comparison(cursor: Cursor, decision: Decision, comparison: Comparison) -> None:
    """Insert a comparison. Without a champion, its digest names the constant answer."""
    evidence, cells = comparison.evidence, comparison.evidence.cells
    classes = {label: asdict(counts) for label, counts in evidence.by_class.items()}
    cursor.execute(
        INSERT_COMPARISON,
        {
            **asdict(cells),
            **_numbers(cells),
            "run_id": decision.run_id,
            "image_set": evidence.name,
            "set_digest": comparison.set_digest,
            "champion_digest": decision.champion_digest or "",
            "candidate_digest": decision.candidate_digest,
            "images": cells.images,
            "by_class": json.dumps(classes),
            "discordant": json.dumps(comparison.discordant),
            "decides": evidence.decides,
        },
    )


def store_decision(
    cursor: Cursor,
    decision: Decision,
    evidence: Evidence,
    settings: GateSettings,
    verdict: Verdict,
) -> None:
    """Insert a verdict with everything that it rests on besides the comparisons."""
    document = {
        **asdict(settings),
        "facts": asdict(evidence.facts),
        "baseline": evidence.baseline,
        "closes_audit": verdict.closes_audit,
    }
    cursor.execute(
        INSERT_DECISION,
        {
            **asdict(decision),
            "verdict": verdict.outcome.value,
            "rule_version": verdict.rule_version,
            "settings": json.dumps(document),
            "reasons": list(verdict.reasons),
        },
    )


def read_verdict(database: Database, run_id: int) -> StoredVerdict | None:
    """Return the last verdict of a run and compute it again, None if the run has none.

    Raises psycopg2.Error.
    """
    rows = database.query(SELECT_DECISION, [run_id])
    if not rows:
        return None
    [row] = rows
    stored = database.query(SELECT_COMPARISONS, [run_id, row["at"]])
    later = database.query(SELECT_LATER, [run_id, row["id"]])
    evidence, settings = _evidence(row["settings"], stored), _settings(row["settings"])
    computed = decide(evidence, settings)
    differences = [
        difference
        for comparison, one in zip(stored, evidence.sets, strict=True)
        for difference in _differences(comparison, one)
    ]
    if computed.outcome != row["verdict"]:
        differences.append(
            f"The stored verdict is {row['verdict']}, and the evidence gives {computed.outcome}."
        )
    if computed.rule_version != row["rule_version"]:
        differences.append(
            f"The verdict was computed by version {row['rule_version']} of the rules. "
            f"This program has version {computed.rule_version}."
        )
    return StoredVerdict(
        row, later[0] if later else None, evidence, settings, computed, tuple(differences)
    )


def _evidence(document: Mapping[str, Any], rows: list[Record]) -> Evidence:
    facts = document["facts"]
    return Evidence(
        tuple(
            SetEvidence(
                row["image_set"],
                Cells(
                    row["both_right"],
                    row["only_champion"],
                    row["only_candidate"],
                    row["both_wrong"],
                    row["unanswered"],
                ),
                {label: ClassCells(**counts) for label, counts in row["by_class"].items()},
                row["decides"],
            )
            for row in rows
        ),
        Facts(**{**facts, "unpredicted": tuple(facts["unpredicted"])}),
        document["baseline"],
    )


def _settings(document: Mapping[str, Any]) -> GateSettings:
    return GateSettings(document["alpha"], document["margin"], document["min_gain"])


def _numbers(cells: Cells) -> dict[str, float]:
    return {"p_better": cells.p_better, "gain": cells.gain, "gain_lower": cells.gain_lower}


def _differences(row: Record, one: SetEvidence) -> list[str]:
    return [
        f"{one.name}: the stored {name} is {row[name]!r}, and its cells give {value!r}."
        for name, value in _numbers(one.cells).items()
        if abs(row[name] - value) > TOLERANCE
    ]
