"""Points: POST and GET of the points of a run."""

import math
import time
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tracking.errors import InvalidError
from tracking.native.fields import body, no_query
from tracking.routing import Call, json_response
from tracking.runs import MAX_POINTS, Entries, Point
from tracking.storage.runs import Runs

FIELDS = frozenset({"points", "params", "tags"})
POINT_FIELDS = frozenset({"metric", "step", "value", "at"})
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MAX_LOOP_BYTES = 65_536  # a larger body is parsed in a thread


class PointsApi:
    """Operations of /experiments/{experiment_name}/points."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def log(self, call: Call) -> Response:
        """Store points, parameters and tags. Raises TrackingError.

        Points alone, of a run that is known by its run id, take no thread.
        """
        if len(call.body) > MAX_LOOP_BYTES:
            return await run_in_threadpool(self._log, call)
        entries = _entries(call)
        written = None
        if not entries.params and not entries.tags:
            written = self._runs.log_soon(call.path["name"], entries.points)
        if written is None:
            return await run_in_threadpool(self._store, call.path["name"], entries)
        await written
        return json_response({"stored": len(entries.points)})

    def read(self, call: Call) -> Response:
        """Return the points of a metric as sent, or those of its curve, which have no time.

        A row of a CSV file has only curves. Raises TrackingError.
        """
        no_query(call, frozenset({"metric"}))
        metric = call.query.get("metric")
        if not metric:
            raise InvalidError(
                "The query must have the parameter metric. Send ?metric=loss.", "metric"
            )
        run_id = self._runs.find(call.path["name"])
        sent = self._runs.history(run_id, metric)
        documents = [_document(point.step, point.value, point.logged_at) for point in sent]
        if not documents:
            curve = self._runs.curve(run_id, metric)
            documents = [_document(step, value, None) for step, value in curve]
        return json_response({"metric": metric, "points": documents})

    def _log(self, call: Call) -> Response:
        return self._store(call.path["name"], _entries(call))

    def _store(self, name: str, entries: Entries) -> Response:
        self._runs.log(self._runs.find(name), entries)
        return json_response({"stored": len(entries.points)})


def _entries(call: Call) -> Entries:
    no_query(call)
    fields = body(call, FIELDS, frozenset({"points"}))
    documents = fields.array("points")
    if len(documents) > MAX_POINTS:
        raise InvalidError(f"More than {MAX_POINTS:,} points. Send fewer in one request.", "points")
    return Entries(_points(documents), fields.params("params"), fields.tags("tags"))


def _points(documents: Sequence[Any]) -> list[Point]:
    now = time.time_ns() // 1_000_000
    return [_point(document, index, now) for index, document in enumerate(documents)]


def _point(document: Any, index: int, now: int) -> Point:
    """Return a point. Raises InvalidError."""
    path = f"points/{index}"
    if not isinstance(document, dict) or not document.keys() <= POINT_FIELDS:
        raise InvalidError("A point has the fields metric, step, value and at, and no other.", path)
    metric, step, value = document.get("metric"), document.get("step"), document.get("value")
    logged_at = document.get("at", now)
    if not isinstance(metric, str):
        raise InvalidError("The metric is not a text.", f"{path}/metric")
    if type(step) is not int:
        raise InvalidError("The step is not a whole number.", f"{path}/step")
    if type(logged_at) is not int:
        raise InvalidError("The time is not in milliseconds since 1970.", f"{path}/at")
    if isinstance(value, str):
        value = SPECIAL.get(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidError(
            "The value is not a number, NaN, Infinity or -Infinity.", f"{path}/value"
        )
    return Point(metric, step, logged_at, float(value))


def _document(step: int, value: float, logged_at: int | None) -> dict[str, Any]:
    text = None
    if not math.isfinite(value):
        text = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return {"step": step, "value": text or value, "at": logged_at}
