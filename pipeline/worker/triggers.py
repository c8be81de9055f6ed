"""Triggers: starts the runs that are due by schedule, new labels, answers or a monitor's request.

One worker at a time looks: the one whose row in pipeline_workers is the first that is alive. Its
row is locked meanwhile, and each run is requested in the transaction that found it due.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from croniter import croniter
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from pipeline.database import Database, Record, fetch_all
from pipeline.settings import Settings

BY = "pipeline worker"
BY_SETTING = "RETRAIN_CRON"
LEAD = """
SELECT name FROM pipeline_workers WHERE name = %(name)s AND name = (
    SELECT min(name) FROM pipeline_workers
    WHERE seen_at > now() - make_interval(secs => %(seconds)s))
FOR UPDATE SKIP LOCKED
"""
REQUEST = """
SELECT run_id, joined
FROM request_run(%(task)s, %(experiment)s, %(params)s, %(kind)s, %(by)s, %(reason)s)
"""
SCHEDULES = "SELECT * FROM schedules WHERE enabled"
FIRE = """
UPDATE schedules SET last_fired_at = %(at)s
WHERE task = %(task)s AND enabled AND changed_at < %(at)s
  AND (last_fired_at IS NULL OR last_fired_at < %(at)s)
RETURNING task
"""
TASK_OF = "SELECT task FROM experiments WHERE name = %s"
LAST_OF_SETTING = """
SELECT max(t.at) AS at FROM pipeline_triggers t JOIN pipeline_runs r ON r.id = t.run_id
WHERE t.requested_by = %s AND r.task = %s
"""
# Labels whose image a dataset can have, newer than the task's last run. Others would count forever.
NEW_LABELS = """
SELECT l.task, count(*) AS labels FROM labels_waiting l
WHERE l.has_original AND l.labelled_at > coalesce(
    (SELECT max(r.created_at) FROM pipeline_runs r WHERE r.task = l.task AND r.kind = 'retrain'),
    '-infinity')
GROUP BY l.task HAVING count(*) >= %s
"""
# A task whose last run is younger than the cooldown waits; one with an open run, too.
IS_COOLING_DOWN = """
SELECT id FROM pipeline_runs WHERE task = %s AND kind IN ('retrain', 'compare')
  AND (state IN ('QUEUED', 'RUNNING')
       OR kind = 'retrain' AND created_at > now() - make_interval(secs => %s))
LIMIT 1
"""
CHAMPION = "SELECT experiment_name FROM aliases WHERE task = %s AND alias = 'champion'"
# Undecided runs whose requests are all answered or skipped, and that no run has decided again.
ANSWERED = """
SELECT d.run_id, count(q.answered_at) AS answers FROM (
    SELECT DISTINCT ON (run_id) run_id, verdict FROM promotion_decisions ORDER BY run_id, id DESC
) d JOIN pipeline_runs r ON r.id = d.run_id JOIN label_requests q ON q.run_id = d.run_id
WHERE d.verdict = 'UNDECIDED' AND r.state = 'SUCCEEDED'
  AND NOT EXISTS (SELECT FROM pipeline_runs c WHERE c.parent_run_id = r.id)
  AND NOT EXISTS (SELECT FROM pipeline_runs n
                  WHERE n.task = r.task AND n.kind = 'retrain' AND n.id > r.id)
GROUP BY d.run_id
HAVING count(q.answered_at) > 0
   AND count(*) FILTER (WHERE q.answered_at IS NULL AND q.skipped_at IS NULL) = 0
"""
COMPARE = "SELECT run_id, joined FROM request_comparison(%s, 'labels', %s, %s)"
REQUESTS = "SELECT * FROM retrain_requests WHERE status = 'waiting' ORDER BY id FOR UPDATE"
TAKE_REQUEST = "UPDATE retrain_requests SET status = 'taken', run_id = %s WHERE id = %s"
REFUSE_REQUEST = "UPDATE retrain_requests SET status = 'refused', reason = %s WHERE id = %s"
FINISH_REQUESTS = """
UPDATE retrain_requests q SET status = 'done' FROM pipeline_runs r
WHERE q.status = 'taken' AND r.id = q.run_id AND r.finished_at IS NOT NULL
"""
SECONDS_PER_HOUR = 3600.0

logger = logging.getLogger(__name__)


class Triggers:
    """Starts due runs. `worker` is the name of this worker in pipeline_workers."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        worker: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Check RETRAIN_CRON. Raises ValueError if it is not a cron expression."""
        if settings.retrain_cron and not croniter.is_valid(settings.retrain_cron):
            raise ValueError(
                f"RETRAIN_CRON={settings.retrain_cron!r} is not a cron expression of five fields."
            )
        if settings.retrain_cron and not settings.retrain_experiment:
            raise ValueError("RETRAIN_CRON needs RETRAIN_EXPERIMENT, the experiment to train.")
        self._database, self._settings, self._worker = database, settings, worker
        self._clock = clock
        self._started_at = clock()

    def check(self) -> None:
        """Start what is due. Does nothing if another worker looks. Raises psycopg2.Error."""
        for part in (
            self._fire_schedules,
            self._fire_setting,
            self._compare_again,
            self._take_requests,
            self._count_labels,
        ):
            with self._lead() as cursor:
                if cursor is not None:
                    part(cursor)

    @contextmanager
    def _lead(self) -> Iterator[Cursor | None]:
        arguments = {"name": self._worker, "seconds": 2 * self._settings.heartbeat_seconds}
        with self._database.transaction() as cursor:
            yield cursor if _execute(cursor, LEAD, arguments) else None

    def _fire_schedules(self, cursor: Cursor) -> None:
        for schedule in _execute(cursor, SCHEDULES):
            if not croniter.is_valid(schedule["cron"]):
                logger.error("A schedule has no valid cron expression", extra={"row": schedule})
                continue
            due = self._last_time(schedule["cron"])
            if _execute(cursor, FIRE, {"task": schedule["task"], "at": due}):
                self._request(
                    cursor,
                    schedule["task"],
                    schedule["experiment_name"],
                    "schedule",
                    f"Schedule {schedule['cron']} of {due:%Y-%m-%d %H:%M} UTC",
                    schedule["changed_by"],
                    schedule["params"],
                )

    def _fire_setting(self, cursor: Cursor) -> None:
        cron, experiment = self._settings.retrain_cron, self._settings.retrain_experiment
        if not cron:
            return
        tasks = _execute(cursor, TASK_OF, [experiment])
        if not tasks:
            logger.warning("RETRAIN_EXPERIMENT is unknown", extra={"experiment": experiment})
            return
        task = tasks[0]["task"]
        [last] = _execute(cursor, LAST_OF_SETTING, [BY_SETTING, task])
        due = self._last_time(cron)
        if due > max(self._started_at, last["at"] or self._started_at):
            self._request(
                cursor,
                task,
                experiment,
                "schedule",
                f"RETRAIN_CRON {cron} of {due:%Y-%m-%d %H:%M} UTC",
                BY_SETTING,
            )

    def _count_labels(self, cursor: Cursor) -> None:
        minimum = self._settings.retrain_after_labels
        if not minimum:
            return
        for row in _execute(cursor, NEW_LABELS, [minimum]):
            experiment = self._experiment(cursor, row["task"])
            if experiment and not self._is_cooling_down(cursor, row["task"]):
                reason = f"{row['labels']} new labels, at least {minimum}"
                self._request(cursor, row["task"], experiment, "labels", reason)

    def _compare_again(self, cursor: Cursor) -> None:
        for row in _execute(cursor, ANSWERED):
            reason = f"{row['answers']} answers to the label requests of run {row['run_id']}"
            _execute(cursor, COMPARE, [row["run_id"], BY, reason])
            logger.info("Comparing again", extra={"run": row["run_id"]})

    def _take_requests(self, cursor: Cursor) -> None:
        cursor.execute(FINISH_REQUESTS)
        for request in _execute(cursor, REQUESTS):
            task = request["task"]
            experiment = self._experiment(cursor, task)
            if experiment is None:
                reason = (
                    f"{request['reason']} Refused: task {task} has no champion. Set "
                    "RETRAIN_EXPERIMENT, or promote a model."
                )
                cursor.execute(REFUSE_REQUEST, [reason, request["id"]])
            elif not self._is_cooling_down(cursor, task):
                run_id = self._request(
                    cursor, task, experiment, "drift", request["reason"], request["requested_by"]
                )
                cursor.execute(TAKE_REQUEST, [run_id, request["id"]])

    def _request(
        self,
        cursor: Cursor,
        task: str,
        experiment: str,
        kind: str,
        reason: str,
        by: str = BY,
        params: dict[str, Any] | None = None,
    ) -> int:
        arguments = {
            "task": task,
            "experiment": experiment,
            "params": json.dumps({"seeds": self._settings.retrain_seeds, **(params or {})}),
            "kind": kind,
            "by": by,
            "reason": reason,
        }
        [row] = _execute(cursor, REQUEST, arguments)
        logger.info("A run is due", extra={"run": row["run_id"], "reason": reason})
        return int(row["run_id"])

    def _experiment(self, cursor: Cursor, task: str) -> str | None:
        """Return RETRAIN_EXPERIMENT if it is of the task, else the champion's experiment."""
        stated = self._settings.retrain_experiment
        if stated and [row["task"] for row in _execute(cursor, TASK_OF, [stated])] == [task]:
            return stated
        champions = _execute(cursor, CHAMPION, [task])
        return str(champions[0]["experiment_name"]) if champions else None

    def _is_cooling_down(self, cursor: Cursor, task: str) -> bool:
        seconds = self._settings.retrain_cooldown_hours * SECONDS_PER_HOUR
        return bool(_execute(cursor, IS_COOLING_DOWN, [task, seconds]))

    def _last_time(self, cron: str) -> datetime:
        """Return the last time of a cron expression, in UTC."""
        # The end of the second, because the previous time of a time itself is the one before.
        now = self._clock().replace(microsecond=999_999)
        last: datetime = croniter(cron, now).get_prev(datetime)
        return last


def _execute(
    cursor: Cursor, statement: str, arguments: list[Any] | dict[str, Any] | None = None
) -> list[Record]:
    cursor.execute(statement, arguments)
    return fetch_all(cursor)
