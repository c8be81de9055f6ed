-- Experiments, their curves, the imports that brought them, the roles that may read them, and views for people.

CREATE TABLE experiments (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    task           text NOT NULL DEFAULT 'mnist',
    learning_rate  double precision NOT NULL,
    momentum       double precision NOT NULL,
    params         jsonb NOT NULL DEFAULT '{}',
    metrics        jsonb NOT NULL DEFAULT '{}',
    source_file    text NOT NULL,
    source_line    integer NOT NULL,
    content_digest text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    seen_at        timestamptz NOT NULL DEFAULT now(),
    missing_since  timestamptz
);
COMMENT ON TABLE experiments IS 'One row per experiment of data.csv. A row that leaves the file stays here and gets missing_since.';
COMMENT ON COLUMN experiments.id IS 'Rises with the order of arrival: the latest experiment has the highest id.';
COMMENT ON COLUMN experiments.name IS 'Experiment Name of data.csv; the name that the API takes.';
COMMENT ON COLUMN experiments.task IS 'What the experiment learns to tell apart, for instance mnist. Column Task of data.csv, or mnist.';
COMMENT ON COLUMN experiments.learning_rate IS 'Learning rate of the optimizer.';
COMMENT ON COLUMN experiments.momentum IS 'Momentum of the optimizer, 0 to 1.';
COMMENT ON COLUMN experiments.params IS 'Every further column of data.csv that is no metric, by its name in snake_case: params->>''architecture''.';
COMMENT ON COLUMN experiments.metrics IS 'Every further column of data.csv that is a number and named like a metric: metrics->''test_accuracy''.';
COMMENT ON COLUMN experiments.source_file IS 'Name of the CSV file that the row came from.';
COMMENT ON COLUMN experiments.source_line IS 'Line of that file on which the row begins; the header is line 1.';
COMMENT ON COLUMN experiments.content_digest IS 'sha256 of the row''s content; an import writes only rows whose digest differs.';
COMMENT ON COLUMN experiments.created_at IS 'When the experiment was first imported.';
COMMENT ON COLUMN experiments.updated_at IS 'When its content last changed.';
COMMENT ON COLUMN experiments.seen_at IS 'When an import last found it in its file.';
COMMENT ON COLUMN experiments.missing_since IS 'When an import first found that its file no longer has it; null while the file has it.';

CREATE TABLE metric_curves (
    experiment_id bigint NOT NULL REFERENCES experiments ON DELETE CASCADE,
    metric        text NOT NULL,
    steps         bigint[] NOT NULL,
    metric_values double precision[] NOT NULL,
    points        integer GENERATED ALWAYS AS (cardinality(steps)) STORED,
    first_step    bigint GENERATED ALWAYS AS (steps[1]) STORED,
    last_step     bigint GENERATED ALWAYS AS (steps[cardinality(steps)]) STORED,
    last_value    double precision GENERATED ALWAYS AS (metric_values[cardinality(steps)]) STORED,
    best_value    double precision NOT NULL,
    best_step     bigint NOT NULL,
    PRIMARY KEY (experiment_id, metric),
    CHECK (cardinality(steps) > 0 AND cardinality(steps) = cardinality(metric_values))
);
COMMENT ON TABLE metric_curves IS 'A metric over the steps of a training, one row per curve, with its summary. The view experiment_metrics shows it in long form, a row per point.';
COMMENT ON COLUMN metric_curves.experiment_id IS 'The experiment, see experiments.id.';
COMMENT ON COLUMN metric_curves.metric IS 'loss, validation_loss, ...: the column of data.csv in snake_case.';
COMMENT ON COLUMN metric_curves.steps IS 'Optimizer steps, strictly increasing.';
COMMENT ON COLUMN metric_curves.metric_values IS 'The metric''s value at each of the steps.';
COMMENT ON COLUMN metric_curves.points IS 'How many points the curve has.';
COMMENT ON COLUMN metric_curves.first_step IS 'The first step.';
COMMENT ON COLUMN metric_curves.last_step IS 'The last step.';
COMMENT ON COLUMN metric_curves.last_value IS 'The value at the last step.';
COMMENT ON COLUMN metric_curves.best_value IS 'The best value: the highest of an accuracy or score, else the lowest.';
COMMENT ON COLUMN metric_curves.best_step IS 'The first step that has the best value.';

CREATE TABLE imports (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file           text NOT NULL,
    digest         text,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL,
    rows_read      integer NOT NULL DEFAULT 0,
    rows_added     integer NOT NULL DEFAULT 0,
    rows_updated   integer NOT NULL DEFAULT 0,
    rows_unchanged integer NOT NULL DEFAULT 0,
    rows_missing   integer NOT NULL DEFAULT 0,
    rows_rejected  integer NOT NULL DEFAULT 0,
    error          text
);
CREATE INDEX ON imports (file, id);
COMMENT ON TABLE imports IS 'One row per import of a CSV file that found something new: other content, another outcome, or an error.';
COMMENT ON COLUMN imports.id IS 'Rises with time.';
COMMENT ON COLUMN imports.file IS 'Name of the file.';
COMMENT ON COLUMN imports.digest IS 'sha256 of the file; null when it could not be read.';
COMMENT ON COLUMN imports.started_at IS 'When the import began.';
COMMENT ON COLUMN imports.finished_at IS 'When it ended; moved on by later imports of the same content with the same outcome.';
COMMENT ON COLUMN imports.rows_read IS 'Rows of the file, without its header and blank lines.';
COMMENT ON COLUMN imports.rows_added IS 'Rows whose experiment was new.';
COMMENT ON COLUMN imports.rows_updated IS 'Rows whose content had changed.';
COMMENT ON COLUMN imports.rows_unchanged IS 'Rows that were already here just so.';
COMMENT ON COLUMN imports.rows_missing IS 'Experiments of this file that this import was the first to miss; they are kept and marked.';
COMMENT ON COLUMN imports.rows_rejected IS 'Rows that could not be used; they stand in import_rejects, the first 10,000 of them.';
COMMENT ON COLUMN imports.error IS 'Why the whole file could not be imported; null when it could.';

CREATE TABLE import_rejects (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file          text NOT NULL,
    line          integer NOT NULL,
    column_name   text,
    reason        text NOT NULL,
    raw           text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    resolved_at   timestamptz
);
CREATE UNIQUE INDEX import_rejects_identity ON import_rejects (file, line, md5(coalesce(column_name, '') || chr(10) || reason || chr(10) || raw));
COMMENT ON TABLE import_rejects IS 'Rows of a CSV file that could not be imported, kept as they were. Current ones: WHERE resolved_at IS NULL.';
COMMENT ON COLUMN import_rejects.id IS 'Rises with time.';
COMMENT ON COLUMN import_rejects.file IS 'Name of the file.';
COMMENT ON COLUMN import_rejects.line IS 'Line on which the row begins; the header is line 1.';
COMMENT ON COLUMN import_rejects.column_name IS 'Column at fault; null when it is the row as a whole.';
COMMENT ON COLUMN import_rejects.reason IS 'What is wrong and what would be right.';
COMMENT ON COLUMN import_rejects.raw IS 'The row''s text.';
COMMENT ON COLUMN import_rejects.first_seen_at IS 'When an import first met it.';
COMMENT ON COLUMN import_rejects.last_seen_at IS 'When an import last met it.';
COMMENT ON COLUMN import_rejects.resolved_at IS 'When an import found it gone or mended; null while it stands.';

CREATE VIEW experiment_metrics AS
SELECT c.experiment_id, e.name AS experiment_name, c.metric, p.step, p.value
FROM metric_curves c
JOIN experiments e ON e.id = c.experiment_id
CROSS JOIN LATERAL unnest(c.steps, c.metric_values) AS p (step, value);
COMMENT ON VIEW experiment_metrics IS 'Every point of every curve: SELECT step, value FROM experiment_metrics WHERE experiment_name = ''...'' AND metric = ''loss'' ORDER BY step.';
COMMENT ON COLUMN experiment_metrics.experiment_id IS 'See experiments.id.';
COMMENT ON COLUMN experiment_metrics.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN experiment_metrics.metric IS 'See metric_curves.metric.';
COMMENT ON COLUMN experiment_metrics.step IS 'Optimizer step.';
COMMENT ON COLUMN experiment_metrics.value IS 'The metric''s value at that step.';

CREATE VIEW loss_curves AS
SELECT experiment_id, experiment_name, metric, step, value
FROM experiment_metrics
WHERE metric IN ('loss', 'validation_loss');
COMMENT ON VIEW loss_curves IS 'Training and validation loss by step: SELECT step, value FROM loss_curves WHERE experiment_name = ''...'' AND metric = ''loss'' ORDER BY step.';
COMMENT ON COLUMN loss_curves.experiment_id IS 'See experiments.id.';
COMMENT ON COLUMN loss_curves.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN loss_curves.metric IS 'loss (training) or validation_loss.';
COMMENT ON COLUMN loss_curves.step IS 'Optimizer step.';
COMMENT ON COLUMN loss_curves.value IS 'Cross-entropy in nats.';

CREATE VIEW leaderboard AS
SELECT e.id AS experiment_id,
       e.name AS experiment_name,
       e.task,
       e.learning_rate,
       e.momentum,
       e.params ->> 'architecture' AS architecture,
       (e.metrics ->> 'test_accuracy')::double precision AS test_accuracy,
       c.best_value AS best_loss,
       c.best_step AS best_loss_step,
       c.last_value AS last_loss,
       c.last_step,
       c.points,
       e.params,
       e.metrics,
       e.created_at,
       e.updated_at,
       e.missing_since
FROM experiments e
LEFT JOIN metric_curves c ON c.experiment_id = e.id AND c.metric = 'loss';
COMMENT ON VIEW leaderboard IS 'One row per experiment with its best and last training loss: SELECT * FROM leaderboard ORDER BY test_accuracy DESC NULLS LAST.';
COMMENT ON COLUMN leaderboard.experiment_id IS 'See experiments.id.';
COMMENT ON COLUMN leaderboard.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN leaderboard.task IS 'See experiments.task.';
COMMENT ON COLUMN leaderboard.learning_rate IS 'See experiments.learning_rate.';
COMMENT ON COLUMN leaderboard.momentum IS 'See experiments.momentum.';
COMMENT ON COLUMN leaderboard.architecture IS 'Column Architecture of data.csv, null without one.';
COMMENT ON COLUMN leaderboard.test_accuracy IS 'Column Test Accuracy of data.csv, 0 to 1, null without one.';
COMMENT ON COLUMN leaderboard.best_loss IS 'Lowest training loss of the curve.';
COMMENT ON COLUMN leaderboard.best_loss_step IS 'Step of the lowest training loss.';
COMMENT ON COLUMN leaderboard.last_loss IS 'Training loss at the last step.';
COMMENT ON COLUMN leaderboard.last_step IS 'Last step of the training loss.';
COMMENT ON COLUMN leaderboard.points IS 'Points of the training loss.';
COMMENT ON COLUMN leaderboard.params IS 'See experiments.params.';
COMMENT ON COLUMN leaderboard.metrics IS 'See experiments.metrics.';
COMMENT ON COLUMN leaderboard.created_at IS 'See experiments.created_at.';
COMMENT ON COLUMN leaderboard.updated_at IS 'See experiments.updated_at.';
COMMENT ON COLUMN leaderboard.missing_since IS 'See experiments.missing_since.';

-- Roles belong to the whole server, so another database of it may have made them already. db/setup.py gives them their passwords.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlops_app') THEN CREATE ROLE mlops_app LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlops_read') THEN CREATE ROLE mlops_read LOGIN; END IF;
END $$;
COMMENT ON ROLE mlops_app IS 'The inference service: what it needs and no more.';
COMMENT ON ROLE mlops_read IS 'The dashboard, pgAdmin and people: reads everything, may write no table; its statements end after 10 s unless it asks otherwise.';
ALTER ROLE mlops_read SET default_transaction_read_only = on;
ALTER ROLE mlops_read SET statement_timeout = '10s';
ALTER ROLE mlops_app SET statement_timeout = '10s';
GRANT USAGE ON SCHEMA public TO mlops_app, mlops_read;
GRANT SELECT ON experiments, metric_curves, leaderboard TO mlops_app;
GRANT SELECT ON experiments, metric_curves, imports, import_rejects, experiment_metrics, loss_curves, leaderboard TO mlops_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO mlops_read;

COMMENT ON TABLE _yoyo_migration IS 'Which migrations of db/migrations are applied; kept by the migration library yoyo.';
COMMENT ON TABLE _yoyo_log IS 'When which migration was applied, by whom; kept by the migration library yoyo.';
COMMENT ON TABLE _yoyo_version IS 'Version of the migration library''s own tables; kept by yoyo.';
COMMENT ON TABLE yoyo_lock IS 'A lock of the migration library yoyo; the set-up uses an advisory lock instead.';
