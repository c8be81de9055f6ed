"""Parameters and tags of runs: stored as sent, and derived columns of experiments."""

import json
from collections.abc import Mapping

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import ChangedParamError, InvalidError
from tracking.names import house_params, rates
from tracking.runs import MAX_PARAMS, MAX_TAGS

INSERT = """
INSERT INTO run_params (experiment_id, key, value)
SELECT %s, key, value FROM unnest(%s::text[], %s::text[]) AS p (key, value) ORDER BY key
ON CONFLICT DO NOTHING
"""
SELECT = "SELECT key, value FROM run_params WHERE experiment_id = %s"
DERIVE = """
UPDATE experiments SET learning_rate = %s, momentum = %s, params = %s, updated_at = now()
WHERE id = %s
"""
ADD_TAGS = """
UPDATE experiments SET tags = tags || %s::jsonb, updated_at = now() WHERE id = %s
RETURNING (SELECT count(*) FROM jsonb_object_keys(tags))
"""


def add_params(cursor: Cursor, experiment_id: int, params: Mapping[str, str]) -> None:
    """Add parameters to a run, and derive its columns.

    Raises ChangedParamError if one has another value, InvalidError if there are too many.
    """
    cursor.execute(INSERT, [experiment_id, list(params), list(params.values())])
    cursor.execute(SELECT, [experiment_id])
    stored = dict(cursor.fetchall())
    for key, value in params.items():
        if stored[key] != value:
            raise ChangedParamError(path="params", extra={"key": key, "value": stored[key]})
    if len(stored) > MAX_PARAMS:
        raise InvalidError(f"A run has at most {MAX_PARAMS:,} parameters.", "params")
    cursor.execute(DERIVE, [*rates(stored), json.dumps(house_params(stored)), experiment_id])


def add_tags(cursor: Cursor, experiment_id: int, tags: Mapping[str, str]) -> None:
    """Set tags of a run. Raises InvalidError if it would have too many."""
    cursor.execute(ADD_TAGS, [json.dumps(dict(tags)), experiment_id])
    [(count,)] = cursor.fetchall()
    if count > MAX_TAGS:
        raise InvalidError(f"A run has at most {MAX_TAGS:,} tags.", "tags")
