"""Importer: brings the experiment tables up to date with the CSV files, in one transaction."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import psycopg2.extensions

from db.csv.files import CsvFiles
from db.csv.metric_columns import find_metric_columns
from db.import_history import (
    LastImport,
    confirm_unchanged,
    file_digest,
    read_last_imports,
    record_import,
)
from db.staging import CREATE_STAGED_TABLES, ImportResult, Stored, stage_file

SELECT_RUNS = "SELECT name FROM experiments WHERE source IN ('api', 'mlflow')"
SELECT_RENAMED = """
SELECT p.name, e.name FROM previous_names p JOIN experiments e ON e.id = p.experiment_id
"""
RUNS = "the runs of training code"  # location of a name in a reject
FIND_CHANGED = """
CREATE TEMPORARY TABLE changed ON COMMIT DROP AS
SELECT s.name, s.file, e.id IS NULL AS is_new
FROM staged_rows s LEFT JOIN experiments e USING (name)
WHERE e.id IS NULL OR e.content_digest IS DISTINCT FROM s.digest;
ANALYZE staged_rows, staged_curves (name, metric), changed
"""
COUNT_CHANGED = """
SELECT file, count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new)
FROM changed GROUP BY file
"""
# The experiment of a published model belongs to the file from now on.
UPDATE_CHANGED = """
UPDATE experiments e
SET task = s.task, learning_rate = s.learning_rate, momentum = s.momentum, params = s.params,
    metrics = s.metrics, source_file = s.file, source_line = s.line, content_digest = s.digest,
    updated_at = now(), seen_at = now(), missing_since = NULL, source = 'csv', started_at = NULL,
    ended_at = NULL
FROM staged_rows s JOIN changed c USING (name) WHERE e.name = s.name AND NOT c.is_new
"""
UPDATE_UNCHANGED = """
UPDATE experiments e
SET seen_at = now(), missing_since = NULL, source_file = s.file, source_line = s.line
FROM staged_rows s
WHERE e.name = s.name AND NOT EXISTS (SELECT FROM changed c WHERE c.name = s.name)
"""
INSERT_NEW = """
INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics, source_file,
                         source_line, content_digest)
SELECT s.name, s.task, s.learning_rate, s.momentum, s.params, s.metrics, s.file, s.line, s.digest
FROM staged_rows s JOIN changed c USING (name) WHERE c.is_new ORDER BY s.position
"""
DELETE_CHANGED_CURVES = """
DELETE FROM metric_curves USING experiments e JOIN changed c USING (name)
WHERE experiment_id = e.id AND NOT c.is_new
"""
INSERT_CURVES = """
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT e.id, s.metric, s.steps, s.metric_values, s.best_value, s.best_step
FROM staged_curves s JOIN changed c USING (name) JOIN experiments e USING (name)
"""
# An experiment whose row is in a file but rejected keeps its last valid content: it is not missing.
MARK_MISSING = """
UPDATE experiments SET missing_since = now()
WHERE source_file = ANY(%(files)s) AND missing_since IS NULL
  AND name NOT IN (
      SELECT name FROM staged_rows
      UNION ALL SELECT name FROM staged_rejects WHERE name IS NOT NULL)
RETURNING source_file
"""
UPSERT_REJECTS = """
INSERT INTO import_rejects (file, line, column_name, reason, raw)
SELECT file, line, column_name, reason, raw FROM staged_rejects WHERE reason IS NOT NULL
ON CONFLICT (file, line, md5(coalesce(column_name, '') || chr(10) || reason || chr(10) || raw))
DO UPDATE SET last_seen_at = now(), resolved_at = NULL
"""
RESOLVE_REJECTS = """
UPDATE import_rejects SET resolved_at = now()
WHERE file = ANY(%(files)s) AND resolved_at IS NULL AND last_seen_at <> now()
"""
# Without it, the planner has no statistics of tables that have just been filled.
ANALYZE = "ANALYZE experiments, metric_curves"


def import_files(
    connection: psycopg2.extensions.connection, files: CsvFiles
) -> dict[str, ImportResult]:
    """Import CSV files and return the result by file. Idempotent.

    A file that has disappeared is among the results of the next import only. While every file is
    as it was at the last import, no file is read again. The caller holds the lock of
    `db.initialize`.

    Raises psycopg2.Error when the database fails. The tables are then unchanged.
    """
    started_at = datetime.now(UTC)
    # Computed before reading: a file that changes in between is read again at the next start.
    digests = {file.name: file_digest(file) for file in files}
    with connection, connection.cursor() as cursor:
        last_imports = read_last_imports(cursor)
        unchanged = confirm_unchanged(cursor, files, digests, last_imports)
        if unchanged is not None:
            return unchanged
        results = _import_changes(cursor, files, last_imports)
        for file, result in results.items():
            last = last_imports.get(file)
            record_import(cursor, file, result, digests.get(file), started_at, last)
    return results


def _import_changes(
    cursor: psycopg2.extensions.cursor, files: CsvFiles, last_imports: Mapping[str, LastImport]
) -> dict[str, ImportResult]:
    cursor.execute(CREATE_STAGED_TABLES)
    cursor.execute("SELECT name, content_digest FROM experiments")
    stored_digests: dict[str, str] = dict(cursor.fetchall())
    cursor.execute(SELECT_RUNS)
    locations = {str(name): RUNS for (name,) in cursor}
    cursor.execute(SELECT_RENAMED)
    renamed: dict[str, str] = dict(cursor.fetchall())
    metrics = find_metric_columns(files)
    results = {
        file.name: stage_file(
            cursor, file, locations, Stored(stored_digests, renamed), metrics[file]
        )
        for file in files
    }
    if files.error:
        results[files.directory_name] = ImportResult(error=files.error)
    gone = [
        name
        for name, last in last_imports.items()
        if name not in results and not last.is_gone and not _may_exist(name, files, results)
    ]
    results |= {name: ImportResult() for name in gone}
    usable = {"files": [name for name, result in results.items() if not result.error]}
    cursor.execute(FIND_CHANGED)
    cursor.execute(COUNT_CHANGED)
    changed = {str(file): (int(added), int(updated)) for file, added, updated in cursor}
    for statement in (
        UPDATE_CHANGED,
        UPDATE_UNCHANGED,
        INSERT_NEW,
        DELETE_CHANGED_CURVES,
        INSERT_CURVES,
    ):
        cursor.execute(statement)
    cursor.execute(MARK_MISSING, usable)
    missing = Counter(str(file) for (file,) in cursor)
    cursor.execute(UPSERT_REJECTS)
    cursor.execute(RESOLVE_REJECTS, usable)
    if changed:
        cursor.execute(ANALYZE)
    return {
        name: _with_counts(result, *changed.get(name, (0, 0)), missing[name])
        for name, result in results.items()
    }


def _may_exist(name: str, files: CsvFiles, results: Mapping[str, ImportResult]) -> bool:
    """Tell whether a file that was not found may still exist.

    That is so when its directory, or the file that is imported in its place, cannot be read.
    """
    if files.is_in_directory(name) or name == files.directory_name:
        return files.error is not None
    return results[files.main.name].error is not None


def _with_counts(result: ImportResult, added: int, updated: int, missing: int) -> ImportResult:
    if result.error:
        return result
    unchanged = result.read - result.rejected - added - updated
    return replace(result, added=added, updated=updated, unchanged=unchanged, missing=missing)
