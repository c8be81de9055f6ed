"""Step promote: moves the alias champion to the candidate, or leaves that to a person."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.database import fetch_all
from pipeline.steps.context import PermanentError, StepContext
from pipeline.steps.outcome import LeftOpenError

WAIT_SECONDS = 600.0
POLL_SECONDS = 1.0
MOVED_BY = "pipeline"
PROMOTE = "SELECT outcome, event_id FROM promote_run(%s, %s, %s)"
CHANGED = "Refused: the champion is another one now than the one that was compared. Run again."
# The champion of the verdict is no longer the champion, so the verdict does not hold.
REFUSE = """
INSERT INTO promotion_decisions (run_id, verdict, rule_version, settings, reasons, champion_name,
    champion_version, champion_digest, candidate_name, candidate_version, candidate_digest,
    expected_event_id)
SELECT run_id, 'REFUSE', rule_version, settings, ARRAY[%s], champion_name, champion_version,
    champion_digest, candidate_name, candidate_version, candidate_digest, expected_event_id
FROM promotion_decisions WHERE run_id = %s AND verdict = 'PROMOTE' ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True)
class Promoter:
    """Carries out a verdict. `clock` and `sleep` count seconds."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wait_seconds: float = WAIT_SECONDS

    def run(self, context: StepContext) -> dict[str, Any]:
        """Return whether the alias was moved, and who is to move it otherwise.

        Raises LeftOpenError if the service does not serve the version in time.
        """
        outputs: dict[str, Any] = {"moved": False, "alias_event_id": None, "waits_for": None}
        compared = context.outputs["compare"]
        if compared["verdict"] != "PROMOTE":
            return outputs
        if not context.settings.promotes_automatically:
            return {**outputs, "waits_for": "a person"}
        deadline = self.clock() + self.wait_seconds
        while True:
            outcome, event_id = _promote(context, str(compared["sentence"]))
            if outcome in ("moved", "already"):
                return {**outputs, "moved": True, "alias_event_id": event_id}
            if outcome == "champion changed":
                return {**outputs, "verdict": "REFUSE", "sentence": CHANGED}
            if outcome != "not ready":
                raise PermanentError(f"The verdict cannot be carried out: {outcome}.")
            if self.clock() > deadline:
                raise LeftOpenError(
                    f"The champion was not moved: version {context.outputs['register']['version']} "
                    f"is not READY after {self.wait_seconds / 60:.0f} minutes. "
                    "See GET /models for the reason, then retry the run."
                )
            context.progress(waits_for="the version to be READY")
            self.sleep(POLL_SECONDS)


def run(context: StepContext) -> dict[str, Any]:
    """See Promoter."""
    return Promoter().run(context)


def _promote(context: StepContext, reason: str) -> tuple[str, int | None]:
    """Move the alias while the lease is held, and return the outcome and the event of the move."""
    with context.transaction() as cursor:
        cursor.execute(PROMOTE, [context.run.id, MOVED_BY, reason])
        [row] = fetch_all(cursor)
        if row["outcome"] == "champion changed":
            cursor.execute(REFUSE, [CHANGED, context.run.id])
    return row["outcome"], row["event_id"]
