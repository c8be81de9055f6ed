"""SQL queries of one run: its facts, curves, models, lineage and artifacts."""

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, Engine, text

from web.data.tracking.types import Artifact, Curve, CurveSummary, Lineage, Run, RunModel

MAX_RETRAININGS = 20

COLUMNS = """
    SELECT e.id, e.name, e.task, e.run_id, e.source, e.state, p.name AS project, e.owner, e.note,
        e.note_revision, e.tags, e.params, e.metrics, e.learning_rate, e.momentum, e.source_file,
        e.source_line, e.created_at, e.started_at, e.ended_at, e.heartbeat_at, e.silent_since,
        e.archived_at, e.missing_since, ARRAY(
            SELECT n.name FROM previous_names n WHERE n.experiment_id = e.id
            ORDER BY n.renamed_at DESC
        ) AS previous_names, e.note_author, e.tags_author
    FROM experiments e
    LEFT JOIN projects p ON p.id = e.project_id
"""
RUN_BY_NAME = text(f"""{COLUMNS}
    WHERE e.id = coalesce(
        (SELECT id FROM experiments WHERE name = :name),
        (SELECT experiment_id FROM previous_names WHERE name = :name)
    )
""")
RUN_BY_ID = text(f"{COLUMNS} WHERE e.run_id = :run_id")

SUMMARIES = text("""
    SELECT metric, points, best_value, best_step, last_value, last_step
    FROM metric_curves
    WHERE experiment_id = :run
    ORDER BY metric
""")
# Points from a position on. Postgres counts from 1.
POINTS = text("""
    SELECT c.metric, c.steps[k.known + 1:] AS steps, c.metric_values[k.known + 1:] AS metric_values
    FROM unnest(CAST(:metrics AS text[]), CAST(:known AS integer[])) AS k (metric, known)
    JOIN metric_curves c ON c.experiment_id = :run AND c.metric = k.metric
""")

# A version whose files changed has several rows. The latest one counts.
MODELS = text("""
    SELECT m.version, m.digest, m.status, m.test_accuracy, m.training,
        ARRAY(
            SELECT a.alias FROM aliases a
            WHERE a.experiment_name = m.experiment_name AND a.version = m.version
            ORDER BY a.alias
        ) AS aliases,
        coalesce(l.images, 0) AS images, coalesce(l.correct, 0) AS correct,
        coalesce(d.digest, m.training ->> 'dataset_digest') AS dataset_digest,
        d.images AS dataset_images, v.image_set AS evaluated_set, v.images AS evaluated_images,
        v.correct AS evaluated_correct, t.run_id AS pipeline_run, t.seed
    FROM (
        SELECT DISTINCT ON (version) * FROM model_versions
        WHERE experiment_name = :name
        ORDER BY version DESC, status = 'GONE', status_since DESC
    ) AS m
    LEFT JOIN LATERAL (
        SELECT sum(c.images) AS images,
            sum(c.images) FILTER (WHERE c.true_label = c.predicted_label) AS correct
        FROM confusion_counts c WHERE c.model_version_id = m.id
    ) AS l ON true
    LEFT JOIN LATERAL (
        SELECT t.run_id, t.seed, t.model_digest FROM trainings t WHERE t.keras_digest = m.digest
        ORDER BY t.run_id = (m.training ->> 'run_id')::bigint DESC NULLS LAST, t.id LIMIT 1
    ) AS t ON true
    LEFT JOIN LATERAL (
        SELECT v.image_set, v.images, v.correct FROM evaluations v
        WHERE v.model_digest IN (m.digest, t.model_digest) AND v.images > 0
        ORDER BY v.image_set = 'base-test' DESC, v.id DESC LIMIT 1
    ) AS v ON true
    LEFT JOIN pipeline_runs r ON r.id = t.run_id
    LEFT JOIN datasets d ON d.id = r.dataset_id
    ORDER BY m.version DESC
""")
# The numbers first, by index, then the view for these alone.
RETRAININGS = text("""
    SELECT run_id, kind, state, created_at, dataset_digest, gain, verdict, candidate_version,
        promoted_at
    FROM retraining_history
    WHERE run_id = ANY(ARRAY(
        SELECT id FROM pipeline_runs WHERE experiment_name = :name AND kind <> 'score'
        ORDER BY id DESC LIMIT :limit
    ))
    ORDER BY run_id DESC
""")
CHAMPION = text("""
    SELECT version, since, until, moved_by, reason
    FROM champion_timeline
    WHERE task = :task AND experiment_name = :name
    ORDER BY since DESC
""")
ARTIFACTS = text("""
    SELECT path, media_type, bytes, refused FROM run_artifacts
    WHERE experiment_id = :run
    ORDER BY path
""")


def read_run(engine: Engine, *, name: str | None = None, run_id: str | None = None) -> Run | None:
    """Read a run by its run_id, or by its name or a previous name. None if it is unknown.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    query, arguments = (
        (RUN_BY_NAME, {"name": name}) if run_id is None else (RUN_BY_ID, {"run_id": run_id})
    )
    with engine.connect() as connection:
        row = connection.execute(query, arguments).mappings().first()
    return None if row is None else Run(**row)


def read_summaries(connection: Connection, run: int) -> tuple[CurveSummary, ...]:
    """Read the summary of each curve of a run, by metric.

    Raises:
        SQLAlchemyError: as read_run.

    """
    rows = connection.execute(SUMMARIES, {"run": run}).mappings()
    return tuple(CurveSummary(**row) for row in rows)


def read_points(connection: Connection, run: int, known: Mapping[str, int]) -> dict[str, Curve]:
    """Read the points of some metrics of a run that follow the known ones.

    Args:
        connection: to the database.
        run: number of the run.
        known: number of known points by metric, 0 for all points.

    Raises:
        SQLAlchemyError: as read_run.

    """
    arguments = {"run": run, "metrics": list(known), "known": list(known.values())}
    rows = connection.execute(POINTS, arguments)
    return {metric: Curve(metric, tuple(steps), tuple(values)) for metric, steps, values in rows}


def read_lineage(engine: Engine, name: str, task: str) -> Lineage:
    """Read models, retrainings and times as champion of an experiment.

    Raises:
        SQLAlchemyError: as read_run.

    """
    with engine.connect() as connection:
        models = connection.execute(MODELS, {"name": name}).mappings()
        return Lineage(
            models=tuple(
                RunModel(**{**row, "images": int(row["images"]), "correct": int(row["correct"])})
                for row in models
            ),
            retrainings=pd.read_sql(
                RETRAININGS, connection, params={"name": name, "limit": MAX_RETRAININGS}
            ),
            champion=pd.read_sql(CHAMPION, connection, params={"name": name, "task": task}),
        )


def read_artifacts(engine: Engine, run: int) -> tuple[Artifact, ...]:
    """Read the artifacts of a run, by path.

    Raises:
        SQLAlchemyError: as read_run.

    """
    with engine.connect() as connection:
        rows = connection.execute(ARTIFACTS, {"run": run}).mappings()
        return tuple(Artifact(**row) for row in rows)
