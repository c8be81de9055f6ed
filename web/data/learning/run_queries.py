"""SQL queries of pipeline runs: the list, one run in detail, and the evidence for a version."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from web.data.learning.types import (
    Comparison,
    Decision,
    DiscordantImage,
    Evidence,
    Run,
    RunDetail,
    RunList,
    Step,
    Training,
    Trigger,
)

# Gain and verdict are those of the view pipeline_overview.
RUN_COLUMNS = """
    SELECT r.id, r.kind, r.task, r.experiment_name, r.state, r.reason, r.params, r.created_at,
        r.started_at, r.finished_at, r.heartbeat_at, r.cancel_requested_at, r.parent_run_id,
        r.worker, r.deaths, o.dataset_digest, o.dataset_images, o.verdict, o.gain, o.gain_lower,
        o.alias_event_id IS NOT NULL AS is_promoted,
        EXISTS (SELECT FROM alias_events e WHERE e.takes_back = o.alias_event_id) AS is_rolled_back,
        o.alias_event_id IS NOT NULL AND o.alias_event_id = (
            SELECT max(e.id) FROM alias_events e WHERE e.task = r.task AND e.alias = 'champion'
        ) AS is_champion,
        EXISTS (
            SELECT FROM pipeline_steps s
            WHERE s.run_id = r.id AND s.name = 'promote' AND s.state = 'FAILED'
        ) AND NOT EXISTS (
            SELECT FROM pipeline_steps s
            WHERE s.run_id = r.id AND s.name = 'promote' AND s.state <> 'FAILED'
        ) AS needs_promotion, (
            SELECT json_agg(json_build_object('kind', t.kind, 'requested_by', t.requested_by,
                'reason', t.reason, 'at', extract(epoch FROM t.at)) ORDER BY t.id)
            FROM pipeline_triggers t WHERE t.run_id = r.id
        ) AS triggers
    FROM pipeline_runs r JOIN pipeline_overview o ON o.run_id = r.id
"""
RUNS = text(RUN_COLUMNS + " WHERE r.kind <> 'score' ORDER BY r.id DESC LIMIT :limit")
RUN = text(RUN_COLUMNS + " WHERE r.id = :run")
TOTAL = text("SELECT count(*) FROM pipeline_runs WHERE kind <> 'score'")
WORKER_SEEN = text("SELECT extract(epoch FROM now() - max(seen_at)) FROM pipeline_workers")

STEP_ROWS = text("""
    SELECT DISTINCT ON (s.ordinal, s.name) s.name, s.attempt, s.state, s.started_at, s.finished_at,
        s.worker, s.outputs, s.progress, s.error, (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.seconds) FROM (
                SELECT seconds FROM step_durations
                WHERE name = s.name AND state = 'SUCCEEDED' AND run_id <> s.run_id
                ORDER BY started_at DESC LIMIT 30
            ) d
        ) AS typical_seconds
    FROM pipeline_steps s
    WHERE s.run_id = :run
    ORDER BY s.ordinal, s.name, s.attempt DESC
""")
TRAININGS = text("""
    SELECT seed, trial, fold, params, outcome, validation_accuracy, test_accuracy, seconds, curve,
        model_digest
    FROM trainings
    WHERE run_id = :run
    ORDER BY trial NULLS FIRST, fold NULLS FIRST, seed
""")
# The last comparison on each set. The deciding set with the lowest p-value comes first.
COMPARISONS = text("""
    SELECT image_set, images, both_right, only_champion, only_candidate, both_wrong, unanswered,
        p_better, gain, gain_lower, discordant, decides
    FROM (
        SELECT DISTINCT ON (image_set) * FROM comparisons
        WHERE run_id = :run ORDER BY image_set, id DESC
    ) latest
    ORDER BY decides DESC, p_better, id DESC
""")
DECISION_COLUMNS = """
    SELECT run_id, verdict, reasons, settings, champion_name, champion_version, candidate_name,
        candidate_version, at
    FROM promotion_decisions
"""
DECISION = text(DECISION_COLUMNS + " WHERE run_id = :run ORDER BY id DESC LIMIT 1")
LAST_DECISION = text(
    DECISION_COLUMNS
    + " WHERE candidate_name = :name AND candidate_version = :version ORDER BY id DESC LIMIT 1"
)
# Columns of STEP_ROWS that need a conversion
_CONVERTED = ("outputs", "progress", "typical_seconds")
MOVES = text("SELECT event_id, run_id FROM alias_history WHERE run_id IS NOT NULL")
LABELING = text("""
    SELECT count(*), count(*) FILTER (WHERE answered_at IS NOT NULL)
    FROM label_requests WHERE run_id = :run
""")


def read_runs(engine: Engine, limit: int) -> RunList:
    """Read the newest runs, newest first.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        seen = connection.execute(WORKER_SEEN).scalar()
        return RunList(
            tuple(_run(row) for row in connection.execute(RUNS, {"limit": limit}).mappings()),
            int(connection.execute(TOTAL).scalar_one()),
            None if seen is None else float(seen),
        )


def read_run(engine: Engine, run: int) -> RunDetail | None:
    """Read a run with its steps, trainings, comparisons and verdict. None if it is unknown.

    Raises:
        SQLAlchemyError: as read_runs.

    """
    arguments = {"run": run}
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        row = connection.execute(RUN, arguments).mappings().first()
        if row is None:
            return None
        asked, answered = connection.execute(LABELING, arguments).one()
        decision = connection.execute(DECISION, arguments).mappings().first()
        return RunDetail(
            run=_run(row),
            steps=tuple(
                _step(step) for step in connection.execute(STEP_ROWS, arguments).mappings()
            ),
            trainings=tuple(
                _training(one) for one in connection.execute(TRAININGS, arguments).mappings()
            ),
            comparisons=_comparisons(connection, run),
            decision=None if decision is None else _decision(decision),
            label_requests=int(asked),
            labels_answered=int(answered),
        )


def read_evidence(engine: Engine, name: str, version: int) -> Evidence | None:
    """Read the last comparison of a version with a champion. None without one.

    Raises:
        SQLAlchemyError: as read_runs.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        arguments = {"name": name, "version": version}
        row = connection.execute(LAST_DECISION, arguments).mappings().first()
        if row is None:
            return None
        decision = _decision(row)
        return Evidence(_comparisons(connection, decision.run_id), decision)


def read_runs_of_moves(engine: Engine) -> dict[int, int]:
    """Read the run of each move of an alias that carries out or undoes a verdict, by event id.

    Raises:
        SQLAlchemyError: as read_runs.

    """
    with engine.connect() as connection:
        return {int(event): int(run) for event, run in connection.execute(MOVES)}


def _run(row: Mapping[Any, Any]) -> Run:
    return Run(
        **{name: row[name] for name in row if name not in ("triggers", "params")},
        params=row["params"] or {},
        triggers=tuple(
            Trigger(
                kind=one["kind"],
                requested_by=one["requested_by"] or "",
                reason=one["reason"] or "",
                at=datetime.fromtimestamp(float(one["at"]), UTC),
            )
            for one in row["triggers"] or ()
        ),
    )


def _step(row: Mapping[Any, Any]) -> Step:
    typical = row["typical_seconds"]
    return Step(
        **{name: row[name] for name in row if name not in _CONVERTED},
        outputs=row["outputs"] or {},
        progress=row["progress"] or {},
        typical_seconds=None if typical is None else float(typical),
    )


def _training(row: Mapping[Any, Any]) -> Training:
    return Training(
        **{name: row[name] for name in row if name not in ("params", "curve")},
        params=row["params"] or {},
        curve=parse_curve(row["curve"]),
    )


def parse_curve(curve: object) -> tuple[tuple[float, float], ...]:
    """Return the steps and values of a curve {Step: [...], Value: [...]}, none for another one."""
    if not isinstance(curve, Mapping):
        return ()
    steps, values = curve.get("Step"), curve.get("Value")
    if not isinstance(steps, Sequence) or not isinstance(values, Sequence):
        return ()
    return tuple(
        (float(step), float(value))
        for step, value in zip(steps, values, strict=False)
        if isinstance(step, int | float) and isinstance(value, int | float)
    )


def _comparisons(connection: Connection, run: int) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            **{name: row[name] for name in row if name != "discordant"},
            discordant=tuple(
                DiscordantImage(
                    str(one["image_digest"]),
                    str(one["label"]),
                    str(one["champion"]),
                    str(one["candidate"]),
                )
                for one in row["discordant"] or ()
            ),
        )
        for row in connection.execute(COMPARISONS, {"run": run}).mappings()
    )


def _decision(row: Mapping[Any, Any]) -> Decision:
    def pinned(name: str | None, version: int | None) -> str | None:
        return None if name is None or version is None else f"{name}@{version}"

    return Decision(
        run_id=row["run_id"],
        verdict=row["verdict"],
        reasons=tuple(row["reasons"] or ()),
        settings=row["settings"] or {},
        champion=pinned(row["champion_name"], row["champion_version"]),
        candidate=pinned(row["candidate_name"], row["candidate_version"]),
        at=row["at"],
    )
