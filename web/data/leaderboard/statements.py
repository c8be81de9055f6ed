"""SQL statements of the leaderboard, over the view leaderboard.

Texts in braces are replaced by SQL of this package, never by text of a user.
"""

from sqlalchemy import text

# Validation loss: the lowest value of the curve, or the number in a column of a CSV file.
VALIDATION_LOSS = (
    "coalesce(best_validation_loss, CAST(metrics ->> 'validation_loss' AS double precision))"
)
# State of a run as the pages show it: one that has sent nothing for a while is silent.
STATE = "CASE WHEN state = 'running' AND silent_since IS NOT NULL THEN 'silent' ELSE state END"
# Tags in one text: dataset=mnist, reviewed=yes. Null without tags.
TAGS = (
    "(SELECT string_agg(tag.key || '=' || tag.value, ', ' ORDER BY tag.key)"
    " FROM jsonb_each_text(tags) AS tag)"
)
NEWEST = "newest"
DEFAULT_SORT = "test_accuracy"
# Sort keys besides the keys of params and metrics, with their SQL.
SORTS = {
    DEFAULT_SORT: "test_accuracy",
    "best_validation_loss": VALIDATION_LOSS,
    "best_loss": "best_loss",
    "last_loss": "last_loss",
    "learning_rate": "learning_rate",
    "momentum": "momentum",
    "experiment": "experiment_name",
    "architecture": "architecture",
    NEWEST: "experiment_id",
    "started_at": "started_at",
    "state": STATE,
    "source": "source",
    "project": "project",
    "owner": "owner",
    "task": "task",
}
NUMBERS = (
    "learning_rate",
    "momentum",
    "test_accuracy",
    "best_validation_loss",
    "best_loss",
    "last_loss",
)

COLUMN_KEYS = text("""
    SELECT jsonb_object_keys(params) AS key FROM experiments WHERE jsonb_typeof(params) = 'object'
    UNION
    SELECT jsonb_object_keys(metrics) FROM experiments WHERE jsonb_typeof(metrics) = 'object'
    ORDER BY key
""")

# One pass for the numbers, then a search for the experiment of each: sorting all rows costs more.
TASK_SUMMARIES = text(
    """
    WITH runs AS MATERIALIZED (
        SELECT task, experiment_id, experiment_name, missing_since, test_accuracy, best_loss,
               {validation_loss} AS validation_loss
        FROM leaderboard
        WHERE :archived OR archived_at IS NULL
    ), present AS MATERIALIZED (
        SELECT * FROM runs WHERE missing_since IS NULL
    ), totals AS (
        SELECT task,
               count(*) FILTER (WHERE missing_since IS NULL) AS experiments,
               count(missing_since) AS removed,
               max(test_accuracy) FILTER (WHERE missing_since IS NULL) AS best_accuracy,
               percentile_cont(0.25) WITHIN GROUP (ORDER BY test_accuracy) AS quartile_accuracy,
               min(best_loss) FILTER (WHERE missing_since IS NULL) AS lowest_loss,
               min(validation_loss) FILTER (WHERE missing_since IS NULL) AS lowest_validation_loss
        FROM runs
        GROUP BY task
    )
    SELECT task, experiments, removed,
           (SELECT experiment_name FROM present AS one
            WHERE one.task = totals.task AND test_accuracy = best_accuracy
            ORDER BY experiment_id DESC LIMIT 1),
           best_accuracy, quartile_accuracy,
           (SELECT experiment_name FROM present AS one
            WHERE one.task = totals.task AND best_loss = lowest_loss
            ORDER BY experiment_id DESC LIMIT 1),
           lowest_loss,
           (SELECT experiment_name FROM present AS one
            WHERE one.task = totals.task AND validation_loss = lowest_validation_loss
            ORDER BY experiment_id DESC LIMIT 1),
           lowest_validation_loss
    FROM totals
""".replace("{validation_loss}", VALIDATION_LOSS)
)

COUNT = "SELECT count(*) FROM leaderboard WHERE {where}"

# Numbers the rows first, because the other columns cost time and only one page needs them.
ROWS = (
    """
    WITH numbered AS MATERIALIZED (
        SELECT experiment_id AS number_of, row_number() OVER (ORDER BY {order}) AS row_position
        FROM leaderboard
        WHERE {where}
        ORDER BY row_position
        LIMIT :limit OFFSET :offset
    )
    SELECT row_position, experiment_id, experiment_name AS experiment, task, learning_rate,
           momentum, architecture, test_accuracy, params ->> 'outcome' AS outcome,
           {validation_loss} AS best_validation_loss, best_loss, last_loss,
           {state} AS state, source, project, owner, {tags} AS tags, started_at,
           missing_since, archived_at, params, metrics,
           (task, experiment_name) IN (
               SELECT task, experiment_name FROM aliases WHERE alias = 'champion'
           ) AS champion
    FROM numbered
    JOIN leaderboard ON experiment_id = number_of
    ORDER BY row_position
""".replace("{validation_loss}", VALIDATION_LOSS)
    .replace("{state}", STATE)
    .replace("{tags}", TAGS)
)

# A sparkline has the first point of its curve, the last one, and points evenly between them.
ROWS_WITH_SPARKLINES = """
    WITH page AS MATERIALIZED ({rows})
    SELECT page.*, ARRAY(
        SELECT point.value
        FROM metric_curves c
        CROSS JOIN LATERAL unnest(c.metric_values) WITH ORDINALITY AS point (value, number)
        WHERE c.experiment_id = page.experiment_id AND c.metric = 'loss'
          AND (number = 1
               OR (number - 1) * :gaps / greatest(c.points - 1, 1)
                  <> (number - 2) * :gaps / greatest(c.points - 1, 1))
        ORDER BY number
    ) AS loss_curve
    FROM page
    ORDER BY row_position
"""
