"""Trainings: rows of the table `trainings`, written before a training starts and after it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import execute_values

from pipeline.database import Record
from pipeline.steps.context import StepContext

RUNNING, FINISHED, DIVERGED, FAILED = "RUNNING", "finished", "diverged", "failed"
ENDED = (FINISHED, DIVERGED)
SELECT = """
SELECT seed, trial, fold, params, fingerprint, outcome, validation_accuracy, test_accuracy, seconds,
    artifact_url, model_digest
FROM trainings WHERE run_id = %s ORDER BY trial, fold, seed
"""
# One statement, so that a round of trials is stored as a whole or not at all.
START = """
INSERT INTO trainings (run_id, seed, trial, fold, params, fingerprint) VALUES %s
ON CONFLICT (run_id, seed, trial, fold) DO UPDATE SET
    params = excluded.params, fingerprint = excluded.fingerprint, outcome = 'RUNNING',
    validation_accuracy = NULL, test_accuracy = NULL, seconds = NULL, curve = NULL,
    artifact_url = NULL, model_digest = NULL, keras_digest = NULL, started_at = now(),
    finished_at = NULL
"""
FINISH = """
UPDATE trainings SET outcome = %(outcome)s, validation_accuracy = %(validation_accuracy)s,
    test_accuracy = %(test_accuracy)s, seconds = %(seconds)s, curve = %(curve)s,
    artifact_url = %(artifact_url)s, model_digest = %(model_digest)s,
    keras_digest = %(keras_digest)s, finished_at = now()
WHERE run_id = %(run_id)s AND seed = %(seed)s AND trial IS NOT DISTINCT FROM %(trial)s
    AND fold IS NOT DISTINCT FROM %(fold)s
"""


@dataclass(frozen=True)
class Key:
    """Identity of a training within its run. A candidate has no `trial` and `fold`, from 1."""

    seed: int
    trial: int | None = None
    fold: int | None = None


@dataclass(frozen=True)
class Start:
    """A training that is about to start."""

    key: Key
    params: Mapping[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Result:
    """An ended training. Accuracies are in 0..1, digests are SHA-256 in hex.

    `outcome` is finished, diverged or failed. `curve` is the training loss as in data.csv.
    """

    outcome: str
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None
    curve: Mapping[str, Any] | None = None
    artifact_url: str | None = None
    model_digest: str | None = None
    keras_digest: str | None = None


def read(context: StepContext) -> dict[Key, Record]:
    """Return the rows of the run by their key."""
    rows = context.database.query(SELECT, [context.run.id])
    return {Key(row["seed"], row["trial"], row["fold"]): row for row in rows}


def start(context: StepContext, starts: Sequence[Start]) -> None:
    """Store trainings as RUNNING, all or none. Rows of the same keys are replaced."""
    rows = [
        (
            context.run.id,
            one.key.seed,
            one.key.trial,
            one.key.fold,
            json.dumps(one.params),
            one.fingerprint,
        )
        for one in starts
    ]
    with context.transaction() as cursor:
        execute_values(cursor, START, rows, page_size=len(rows))


def finish(context: StepContext, key: Key, result: Result) -> None:
    """Store the result of a training."""
    curve = None if result.curve is None else json.dumps(result.curve)
    arguments = {**vars(key), **vars(result), "curve": curve, "run_id": context.run.id}
    context.write(FINISH, arguments)
