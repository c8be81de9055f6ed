"""SQL queries of predictions: pages by keyset, and answers to an image.

Each branch of a query reads the rows of a page in order from one range of an index. Only these
rows are joined with names, as GET /predictions of the API does.
"""

from typing import Any

from sqlalchemy import Engine, RowMapping, text

from web.data.tracking.history_types import (
    Choices,
    Cursor,
    HistoryFilter,
    HistoryPage,
    LoggedPrediction,
    ModelAnswer,
)

# Events that are searched for the names of source programs.
RECENT_EVENTS = 5000
LATEST_FIRST = "ORDER BY p.created_at DESC, p.id DESC"
# Matches are counted up to this number.
MAX_COUNT = 10_000
# Condition of the partial index predictions_unsure.
MAX_BELOW = 0.9
NAMED = """
    SELECT p.id::text AS prediction_id, p.created_at, m.experiment_name AS experiment, m.version,
        p.task, p.label, p.confidence, p.true_label, p.disagrees, i.warnings,
        i.digest AS image_digest, x.pixels, m.classes
    FROM ({rows}) AS p
    JOIN model_versions m ON m.id = p.model_version_id
    JOIN images i ON i.id = p.image_id
    LEFT JOIN image_pixels x ON x.image_id = p.image_id
    ORDER BY p.created_at DESC, p.id DESC
"""
ANSWERS = text("""
    SELECT m.experiment_name, m.version, a.label, a.confidence
    FROM predictions p
    JOIN predictions a ON a.image_id = p.image_id AND a.task = p.task
    JOIN model_versions m ON m.id = a.model_version_id
    WHERE p.id = CAST(:prediction AS uuid)
    ORDER BY a.confidence DESC, m.experiment_name, m.version
""")
VERSIONS = text("""
    SELECT DISTINCT ON (experiment_name, version) experiment_name, version, task, classes
    FROM model_versions
    ORDER BY experiment_name, version DESC, status_since DESC
""")
SOURCES = text("""
    SELECT DISTINCT source FROM (
        SELECT source FROM prediction_events ORDER BY at DESC, id DESC LIMIT :limit
    ) AS recent
    WHERE source IS NOT NULL ORDER BY source
""")


def page_query(
    criteria: HistoryFilter, limit: int, before: Cursor | None
) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page and its arguments, as for sqlalchemy.text.

    Args:
        criteria: the filter.
        limit: number of predictions.
        before: position of the page, None for the newest predictions.

    """
    arguments = {
        "task": criteria.task,
        "name": criteria.experiment,
        "version": criteria.version,
        "label": criteria.label,
        "true_label": criteria.true_label,
        "below": criteria.below,
        "since": criteria.since,
        "until": criteria.until,
        "source": criteria.source,
        "limit": limit,
        "before": before and before.created_at,
        "before_id": before and before.prediction_id,
    }
    rows = _rows(criteria, before)
    statement = NAMED.format(rows=rows)
    used = {name: value for name, value in arguments.items() if f":{name}" in statement}
    return statement, used


def _rows(criteria: HistoryFilter, before: Cursor | None) -> str:
    """Return SQL of the predictions of a page, without names."""
    where = _conditions(criteria, before)
    if criteria.is_once and criteria.experiment is None and criteria.source is None:
        where.append(_is_surest(_conditions(criteria, None)))
    if criteria.experiment is not None:
        return _rows_of_versions(criteria, where)
    if criteria.has_warning:
        return _rows_of_warned_images(where)
    if criteria.source is not None:
        return _rows_of_source(criteria, before, where)
    return _select(where)


def _conditions(criteria: HistoryFilter, before: Cursor | None) -> list[str]:
    """Return the conditions on predictions, except for those of model and label by index."""
    by_label = criteria.experiment is None or _is_rare(criteria)
    by_source = "EXISTS (SELECT FROM prediction_events e WHERE e.prediction_id = p.id"
    by_source += " AND e.at = p.created_at AND e.source = :source)"
    conditions = {
        "p.task = :task": criteria.task is not None,
        "p.created_at >= :since": criteria.since is not None,
        "p.created_at < :until": criteria.until is not None,
        "(p.created_at, p.id) < (:before, CAST(:before_id AS uuid))": before is not None,
        "p.label = :label": criteria.label is not None and by_label,
        # Once more for the planner, which proves by it that the partial index has the rows.
        "p.true_label IS NOT NULL": criteria.is_labeled or criteria.true_label is not None,
        "p.true_label = :true_label": criteria.true_label is not None,
        # The planner has statistics of this form, and knows by them that few are wrong.
        "(p.true_label <> p.label) IS TRUE": criteria.is_wrong,
        "p.disagrees": criteria.disagrees,
        f"p.confidence < {MAX_BELOW}::real": criteria.below is not None,
        "p.confidence < :below": criteria.below is not None,
        by_source: criteria.source is not None
        and (criteria.experiment is not None or criteria.has_warning),
        "EXISTS (SELECT FROM images i WHERE i.id = p.image_id AND i.warnings <> '{}')": (
            criteria.has_warning and criteria.experiment is not None
        ),
    }
    return [condition for condition, applies in conditions.items() if applies]


def _is_surest(where: list[str]) -> str:
    """Return the condition that no matching prediction of the image is more confident.

    OFFSET 0 is a fence: the planner reads the predictions of the image first, which are few.
    """
    own = " AND ".join(["", *(condition.replace("p.", "q.") for condition in where)])
    return (
        "NOT EXISTS (SELECT FROM (SELECT * FROM predictions o WHERE o.image_id = p.image_id"
        " AND o.task = p.task OFFSET 0) AS q"
        f" WHERE (q.confidence, q.id) > (p.confidence, p.id){own})"
    )


def _is_rare(criteria: HistoryFilter) -> bool:
    """Return whether an index of few predictions of each version exists for a criterion."""
    return (
        criteria.is_wrong
        or criteria.is_labeled
        or criteria.disagrees
        or criteria.true_label is not None
    )


def _select(where: list[str], source: str = "predictions p") -> str:
    conditions = f"WHERE {' AND '.join(where)} " if where else ""
    return f"SELECT p.* FROM {source} {conditions}{LATEST_FIRST} LIMIT :limit"


def _rows_of_versions(criteria: HistoryFilter, where: list[str]) -> str:
    """Return the newest rows of each version, and of each label of it, and the newest of these.

    The index of all predictions of a version is by label.
    """
    is_rare = _is_rare(criteria)
    ranges = (
        "SELECT m.id FROM model_versions m"
        if is_rare
        else "SELECT DISTINCT m.id, c.label FROM model_versions m, unnest(m.classes) AS c (label)"
    )
    ranges += " WHERE m.experiment_name = :name"
    ranges += " AND m.version = :version" if criteria.version is not None else ""
    ranges += " AND c.label = :label" if criteria.label is not None and not is_rare else ""
    own = [*where, "p.model_version_id = r.id"] + ([] if is_rare else ["p.label = r.label"])
    return (
        f"SELECT p.* FROM ({ranges}) AS r CROSS JOIN LATERAL ({_select(own)}) AS p"
        f" {LATEST_FIRST} LIMIT :limit"
    )


def _rows_of_warned_images(where: list[str]) -> str:
    """Return the rows of images with a warning, which are few."""
    return _select(
        [*where, "i.warnings <> '{}'"], "images i JOIN predictions p ON p.image_id = i.id"
    )


def _rows_of_source(criteria: HistoryFilter, before: Cursor | None, where: list[str]) -> str:
    """Return the rows whose first event is of a source, in the order of the events.

    OFFSET 0 is a fence: the planner looks up one prediction for each event and stops at the limit.
    """
    limits = ["e.source = :source"]
    limits += ["e.at >= :since"] if criteria.since is not None else []
    limits += ["e.at < :until"] if criteria.until is not None else []
    limits += ["e.at <= :before"] if before is not None else []
    own = " AND ".join(["p.id = e.prediction_id", "p.created_at = e.at", *where])
    return (
        "SELECT p.* FROM prediction_events e"
        f" CROSS JOIN LATERAL (SELECT * FROM predictions p WHERE {own} OFFSET 0) AS p"
        f" WHERE {' AND '.join(limits)}"
        " ORDER BY e.at DESC, p.id DESC LIMIT :limit"
    )


def read_page(
    engine: Engine, criteria: HistoryFilter, limit: int, before: Cursor | None = None
) -> HistoryPage:
    """Read a page of predictions, newest first.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    statement, arguments = page_query(criteria, limit + 1, before)
    with engine.connect() as connection:
        rows = connection.execute(text(statement), arguments).mappings().all()
    predictions = tuple(_as_prediction(row) for row in rows[:limit])
    last = predictions[-1] if len(rows) > limit else None
    return HistoryPage(
        predictions, None if last is None else Cursor(last.created_at, last.prediction_id)
    )


def _as_prediction(row: RowMapping) -> LoggedPrediction:
    return LoggedPrediction(
        **{
            **row,
            "warnings": tuple(row["warnings"]),
            "classes": tuple(row["classes"]),
            "pixels": None if row["pixels"] is None else bytes(row["pixels"]),
        }
    )


def read_prediction(engine: Engine, prediction: str) -> LoggedPrediction | None:
    """Read a prediction by its id, a UUID. None without one.

    Raises:
        SQLAlchemyError: as read_page.

    """
    statement = NAMED.format(rows="SELECT * FROM predictions WHERE id = CAST(:id AS uuid)")
    with engine.connect() as connection:
        row = connection.execute(text(statement), {"id": prediction}).mappings().first()
    return None if row is None else _as_prediction(row)


def count_matches(engine: Engine, criteria: HistoryFilter) -> int:
    """Count the predictions of a filter on all pages, at most MAX_COUNT + 1.

    Raises:
        SQLAlchemyError: as read_page.

    """
    _, arguments = page_query(criteria, MAX_COUNT + 1, None)
    statement = f"SELECT count(*) FROM ({_rows(criteria, None)}) AS matches"
    with engine.connect() as connection:
        return int(connection.execute(text(statement), arguments).scalar_one())


def read_answers(engine: Engine, prediction: str) -> tuple[ModelAnswer, ...]:
    """Read the answers of all versions of the task to the image of a prediction.

    Raises:
        SQLAlchemyError: as read_page.

    """
    with engine.connect() as connection:
        rows = connection.execute(ANSWERS, {"prediction": prediction})
        return tuple(ModelAnswer(*row) for row in rows)


def read_choices(engine: Engine) -> Choices:
    """Read the options of the filters.

    Raises:
        SQLAlchemyError: as read_page.

    """
    with engine.connect() as connection:
        rows = connection.execute(VERSIONS).all()
        sources = connection.execute(SOURCES, {"limit": RECENT_EVENTS}).scalars().all()
    classes: dict[str, dict[str, None]] = {}
    versions: dict[str, list[tuple[str, int]]] = {}
    for name, version, task, labels in rows:
        classes.setdefault(task, {}).update(dict.fromkeys(labels))
        versions.setdefault(task, []).append((name, int(version)))
    return Choices(
        {task: tuple(labels) for task, labels in classes.items()},
        {task: tuple(found) for task, found in versions.items()},
        tuple(map(str, sources)),
    )
