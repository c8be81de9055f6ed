"""Verdict command: reads the evidence of a run's verdict and computes the verdict again.

libpq's variables (PGHOST, PGUSER, ...) name the database. Any role that may read is enough. The
exit code is 0 if the stored verdict follows from the stored evidence.
"""

import argparse
import sys
from collections.abc import Sequence

import psycopg2

from pipeline.database import Database
from pipeline.gate import texts
from pipeline.gate.evidence import BOUND_ALPHA, SetEvidence
from pipeline.gate.stored import StoredVerdict, read_verdict


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.gate", description=__doc__)
    parser.add_argument("run", type=int, metavar="RUN", help="number of a run of the pipeline")
    run_id = parser.parse_args(arguments).run
    try:
        found = read_verdict(Database("mlops gate"), run_id)
    except psycopg2.Error as error:
        print(f"Cannot read run {run_id}: {str(error).strip()}", file=sys.stderr)
        return 1
    except (KeyError, TypeError) as error:
        print(
            f"The evidence of run {run_id} is not in the form of this program ({error}). "
            "Use the version that stored it.",
            file=sys.stderr,
        )
        return 1
    if found is None:
        print(
            f"Run {run_id} has no verdict. SELECT * FROM promotion_decisions lists those that "
            "exist.",
            file=sys.stderr,
        )
        return 1
    print(report(run_id, found))
    if found.differences:
        print("DIFFERENT FROM THE STORED VERDICT:", file=sys.stderr)
        print("\n".join(f"- {difference}" for difference in found.differences), file=sys.stderr)
        return 1
    print(f"The stored verdict {found.row['verdict']} follows from the stored evidence.")
    return 0


def report(run_id: int, found: StoredVerdict) -> str:
    """Return the evidence and the computed verdict as text."""
    row, settings = found.row, found.settings
    champion = (
        f"{row['champion_name']}, version {row['champion_version']}"
        if row["champion_name"]
        else f"none; compared with the constant answer {found.evidence.baseline}"
    )
    required = (
        f"p <= {texts.probability(settings.alpha)}, a gain of at least "
        f"{texts.limit_points(settings.min_gain)}, and no loss of "
        f"{texts.limit_points(settings.margin)}"
    )
    lines = [
        f"Run {run_id}: candidate {row['candidate_name']} ({row['candidate_digest'][:12]})",
        f"Champion: {champion}",
        f"Required: {required}",
    ]
    for one in found.evidence.sets:
        lines += _set_lines(one)
    lines += [f"Verdict (rules {found.computed.rule_version}): {found.computed.outcome}"]
    lines += [f"- {reason}" for reason in found.computed.reasons]
    if found.later is not None:
        reasons = " ".join(found.later["reasons"])
        lines.append(f"After this verdict: {found.later['verdict']}. {reasons}")
    return "\n".join(lines)


def _set_lines(one: SetEvidence) -> list[str]:
    cells = one.cells
    purpose = "decides" if one.decides else "is reported, never decides"
    worst = min(one.by_class.items(), key=lambda entry: (entry[1].p_worse, entry[0]), default=None)
    counts = (
        f"both right {cells.both_right:,}, only champion {cells.only_champion:,}, "
        f"only candidate {cells.only_candidate:,}, both wrong {cells.both_wrong:,}, "
        f"unanswered {cells.unanswered:,}"
    )
    bound = f"at least {cells.gain_lower!r} with 95 % confidence"
    lines = [
        f"{one.name} ({purpose}): {texts.counted(cells.images)}: {counts}",
        f"  p of no gain {cells.p_better!r}; gain {cells.gain!r}, {bound}",
    ]
    if worst is not None and one.decides:
        label, of_class = worst
        lines.append(
            f"  class with the strongest sign of a loss: {label}, {texts.wins(of_class)}, "
            f"{texts.p_value(of_class.p_worse, BOUND_ALPHA)} of no loss"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
