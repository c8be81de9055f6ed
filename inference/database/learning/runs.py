"""Queries of the pipeline's runs: pages, one run with its evidence and verdict, its steps."""

from inference.database.learning.errors import UnknownRunError
from inference.database.pool import Database, Record, utc

WORKER_SECONDS = 120
MAX_TRIGGERS, MAX_TRAININGS, MAX_ATTEMPTS = 100, 500, 200
NO_WORKER = (
    f"No worker of the pipeline has been seen for {WORKER_SECONDS // 60} minutes."
    " Start one: make worker, or docker compose --profile loop up -d."
)
SELECT_WORKER = f"""
EXISTS (SELECT FROM pipeline_workers WHERE seen_at > now() - interval '{WORKER_SECONDS} seconds')
AS has_worker
"""
SELECT_PAGE = f"""
SELECT run_id, kind, task, experiment_name, state, reason, {utc("created_at")} AS created_at,
       {utc("started_at")} AS started_at, {utc("finished_at")} AS finished_at, seconds,
       parent_run_id, worker, {utc("cancel_requested_at")} AS cancel_requested_at, dataset_digest,
       dataset_images, trigger, requested_by, trigger_reason, triggers,
       coalesce(steps, '[]') AS steps, verdict, reasons, candidate_version, gain, gain_lower,
       p_better, promoted_by, {utc("promoted_at")} AS promoted_at, alias_event_id
FROM pipeline_overview
WHERE (%(task)s IS NULL OR task = %(task)s) AND (%(state)s IS NULL OR state = %(state)s)
      AND (%(kind)s IS NULL OR kind = %(kind)s) AND (%(before)s IS NULL OR run_id < %(before)s)
ORDER BY run_id DESC LIMIT %(limit)s
"""
STEP = f"""
name, ordinal, attempt, state, {utc("started_at")} AS started_at,
{utc("heartbeat_at")} AS heartbeat_at, {utc("finished_at")} AS finished_at, worker, progress, error
"""
SELECT_ONE = f"""
SELECT r.id AS run_id, r.kind, r.task, r.experiment_name, r.state, r.reason, r.params,
       {utc("r.created_at")} AS created_at, {utc("r.started_at")} AS started_at,
       {utc("r.finished_at")} AS finished_at, r.parent_run_id, r.worker, r.deaths,
       {utc("r.cancel_requested_at")} AS cancel_requested_at, d.digest AS dataset_digest,
       (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
            SELECT kind, requested_by, reason, {utc("at")} AS at FROM pipeline_triggers
            WHERE run_id = r.id ORDER BY id LIMIT {MAX_TRIGGERS}) AS t
       ) AS triggers,
       (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.ordinal), '[]') FROM (
            SELECT DISTINCT ON (name) {STEP} FROM pipeline_steps
            WHERE run_id = r.id ORDER BY name, pipeline_steps.attempt DESC) AS s
       ) AS steps,
       (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
            SELECT seed, trial, fold, params, outcome,
                   nullif(validation_accuracy, 'NaN') AS validation_accuracy,
                   nullif(test_accuracy, 'NaN') AS test_accuracy, seconds, model_digest
            FROM trainings WHERE run_id = r.id ORDER BY id LIMIT {MAX_TRAININGS}) AS t
       ) AS trainings,
       (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM (
            SELECT id AS evaluation_id, model_digest, experiment_name, version, image_set,
                   set_digest, images, correct, by_class, {utc("at")} AS at
            FROM evaluations WHERE run_id = r.id ORDER BY id) AS e
       ) AS evaluations,
       (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM (
            SELECT image_set, set_digest, champion_digest, candidate_digest, images, both_right,
                   only_champion, only_candidate, both_wrong, unanswered, p_better, gain,
                   gain_lower, by_class, discordant, decides, {utc("at")} AS at
            FROM comparisons WHERE run_id = r.id ORDER BY id) AS c
       ) AS comparisons,
       (SELECT to_jsonb(v) FROM (
            SELECT verdict, rule_version, settings, reasons, champion_name, champion_version,
                   champion_digest, candidate_name, candidate_version, candidate_digest,
                   alias_event_id, {utc("at")} AS at
            FROM promotion_decisions WHERE run_id = r.id ORDER BY id DESC LIMIT 1) AS v
       ) AS decision,
       (SELECT jsonb_build_object(
            'open', count(*) FILTER (WHERE answered_at IS NULL AND skipped_at IS NULL),
            'answered', count(*) FILTER (WHERE answered_at IS NOT NULL),
            'skipped', count(*) FILTER (WHERE skipped_at IS NOT NULL))
        FROM label_requests WHERE run_id = r.id
       ) AS label_requests,
       {SELECT_WORKER}
FROM pipeline_runs r LEFT JOIN datasets d ON d.id = r.dataset_id WHERE r.id = %s
"""
SELECT_STATE = f"SELECT state, experiment_name, {SELECT_WORKER} FROM pipeline_runs WHERE id = %s"
SELECT_STEPS = f"""
SELECT {STEP}, inputs, outputs, log_url FROM pipeline_steps
WHERE run_id = %s ORDER BY pipeline_steps.ordinal, pipeline_steps.attempt LIMIT {MAX_ATTEMPTS}
"""


class Runs:
    """Runs in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        criteria: dict[str, str | None],
        limit: int,
        before: int | None,
    ) -> tuple[list[Record], int | None]:
        """Return a page of runs, latest first, and its last id if more follow, else None.

        `criteria` are the values of task, state and kind, None for any. The ids of the page are
        lower than `before`. Raises DatabaseUnavailableError.
        """
        arguments = {**criteria, "before": before, "limit": limit + 1}
        rows = self._database.query(SELECT_PAGE, arguments)
        return rows[:limit], rows[limit - 1]["run_id"] if len(rows) > limit else None

    def one(self, run_id: int) -> Record:
        """Return a run with triggers, steps, trainings, evaluations, comparisons and verdict.

        Raises UnknownRunError and DatabaseUnavailableError.
        """
        return self._with_worker(self._database.query(SELECT_ONE, [run_id]))

    def state(self, run_id: int) -> Record:
        """Return the state and experiment of a run.

        Raises UnknownRunError and DatabaseUnavailableError.
        """
        return self._with_worker(self._database.query(SELECT_STATE, [run_id]))

    def steps(self, run_id: int) -> list[Record]:
        """Return all attempts of a run's steps with inputs and outputs.

        Raises UnknownRunError and DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_STEPS, [run_id])
        if not rows:
            self.state(run_id)  # a run that waits has no steps
        return rows

    def no_worker(self) -> str | None:
        """Return how to start a worker if none has been seen lately, else None.

        Raises DatabaseUnavailableError.
        """
        [row] = self._database.query(f"SELECT {SELECT_WORKER}")
        return None if row["has_worker"] else NO_WORKER

    @staticmethod
    def _with_worker(rows: list[Record]) -> Record:
        if not rows:
            raise UnknownRunError
        row = dict(rows[0])
        has_worker = row.pop("has_worker")
        return {**row, "no_worker": None if has_worker else NO_WORKER}
