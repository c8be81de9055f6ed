-- Publishing: runs of kind publish, which add an uploaded model to the model directory, and its experiment to the table experiments. They
-- do not stop a retraining of the task, and several may be open.

ALTER TABLE pipeline_runs
    DROP CONSTRAINT pipeline_runs_kind_check,
    ADD CONSTRAINT pipeline_runs_kind_check CHECK (kind IN ('retrain', 'compare', 'score', 'publish'));
DROP INDEX pipeline_runs_open;
CREATE UNIQUE INDEX pipeline_runs_open ON pipeline_runs (task) WHERE state IN ('QUEUED', 'RUNNING') AND kind IN ('retrain', 'compare');
COMMENT ON TABLE pipeline_runs IS 'Runs of the pipeline. A task has one open run that retrains or compares: further triggers join it. The view pipeline_overview adds steps and verdict.';
COMMENT ON COLUMN pipeline_runs.kind IS 'retrain, compare (decides again about the candidate of an earlier run), score (predictions for many images) or publish (adds an uploaded model).';
COMMENT ON COLUMN pipeline_runs.task IS 'Classification task. Of a run of kind publish, that of the model''s card once the model is published.';
COMMENT ON COLUMN pipeline_runs.experiment_name IS 'Experiment whose recipe is trained, or whose model is published. Null for a run of kind score.';
COMMENT ON COLUMN pipeline_runs.params IS 'Parameters: seeds, dataset, sweep, keep; experiments and images of a run of kind score; file, card and force of a run of kind publish.';
COMMENT ON COLUMN pipeline_steps.name IS 'Step: ingest, validate, prepare, train, evaluate, compare, register, promote; or score, or publish.';
COMMENT ON COLUMN pipeline_overview.kind IS 'retrain, compare, score or publish.';
COMMENT ON COLUMN pipeline_overview.experiment_name IS 'Experiment whose recipe is trained, or whose model is published. Null for a run of kind score.';
COMMENT ON COLUMN step_durations.kind IS 'retrain, compare, score or publish.';

CREATE OR REPLACE FUNCTION request_run(
    task text, experiment_name text, params jsonb, kind text, requested_by text, reason text, OUT run_id bigint, OUT joined boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE; -- of two triggers at once, one joins the run of the other
    SELECT r.id INTO run_id FROM pipeline_runs r
    WHERE r.task = request_run.task AND r.kind IN ('retrain', 'compare') AND r.state IN ('QUEUED', 'RUNNING');
    joined := run_id IS NOT NULL;
    IF NOT joined THEN
        INSERT INTO pipeline_runs (task, experiment_name, params)
        VALUES (request_run.task, request_run.experiment_name, coalesce(request_run.params, '{}')) RETURNING id INTO run_id;
        PERFORM enqueue_run(run_id);
    END IF;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason)
    VALUES (request_run.run_id, request_run.kind, request_run.requested_by, request_run.reason);
END $$;

CREATE OR REPLACE FUNCTION request_comparison(parent_run bigint, kind text, requested_by text, reason text, OUT run_id bigint, OUT joined boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    parent pipeline_runs;
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE;
    SELECT * INTO parent FROM pipeline_runs WHERE id = parent_run AND state = 'SUCCEEDED' AND kind IN ('retrain', 'compare');
    IF parent.id IS NULL THEN RETURN; END IF;
    SELECT r.id INTO run_id FROM pipeline_runs r
    WHERE r.task = parent.task AND r.kind IN ('retrain', 'compare') AND r.state IN ('QUEUED', 'RUNNING');
    joined := run_id IS NOT NULL;
    IF NOT joined THEN
        INSERT INTO pipeline_runs (kind, task, experiment_name, dataset_id, params, parent_run_id)
        VALUES ('compare', parent.task, parent.experiment_name, parent.dataset_id, parent.params, parent.id) RETURNING id INTO run_id;
        PERFORM enqueue_run(run_id);
    END IF;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason)
    VALUES (request_comparison.run_id, request_comparison.kind, request_comparison.requested_by, request_comparison.reason);
END $$;

CREATE OR REPLACE FUNCTION retry_run(run bigint, requested_by text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found pipeline_runs;
    other bigint;
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE;
    SELECT * INTO found FROM pipeline_runs WHERE id = run FOR UPDATE;
    IF found.id IS NULL THEN RETURN 'unknown'; END IF;
    IF found.state IN ('QUEUED', 'RUNNING') THEN RETURN 'running'; END IF;
    -- A run whose alias could not be moved has SUCCEEDED without a successful step promote.
    IF found.state = 'SUCCEEDED' AND NOT EXISTS (
        SELECT FROM pipeline_steps s WHERE s.run_id = run AND s.name = 'promote' AND s.state = 'FAILED'
          AND NOT EXISTS (SELECT FROM pipeline_steps d WHERE d.run_id = run AND d.name = 'promote' AND d.state <> 'FAILED')
    ) THEN RETURN 'nothing'; END IF;
    SELECT id INTO other FROM pipeline_runs r
    WHERE r.task = found.task AND r.state IN ('QUEUED', 'RUNNING') AND r.kind IN ('retrain', 'compare')
      AND found.kind IN ('retrain', 'compare');
    IF other IS NOT NULL THEN RETURN 'open run ' || other; END IF;
    UPDATE pipeline_runs SET state = 'QUEUED', reason = NULL, finished_at = NULL, cancel_requested_at = NULL, deaths = 0,
        lease_token = NULL, heartbeat_at = NULL WHERE id = run;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason) VALUES (run, 'manual', retry_run.requested_by, retry_run.reason);
    PERFORM enqueue_run(run);
    RETURN 'queued';
END $$;

CREATE FUNCTION request_publication(
    task text, experiment_name text, params jsonb, requested_by text, reason text, OUT run_id bigint, OUT joined boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE pipeline_triggers IN EXCLUSIVE MODE; -- of two equal requests at once, one joins the run of the other
    SELECT r.id INTO run_id FROM pipeline_runs r
    WHERE r.kind = 'publish' AND r.state IN ('QUEUED', 'RUNNING') AND r.cancel_requested_at IS NULL
      AND r.experiment_name = request_publication.experiment_name
      AND r.params -> 'file' ->> 'digest' = request_publication.params -> 'file' ->> 'digest'
      AND r.params -> 'card' = request_publication.params -> 'card' AND r.params -> 'force' = request_publication.params -> 'force'
    ORDER BY r.id LIMIT 1;
    joined := run_id IS NOT NULL;
    IF NOT joined THEN
        INSERT INTO pipeline_runs (kind, task, experiment_name, params)
        VALUES ('publish', request_publication.task, request_publication.experiment_name, request_publication.params)
        RETURNING id INTO run_id;
        PERFORM enqueue_run(run_id);
    END IF;
    INSERT INTO pipeline_triggers (run_id, kind, requested_by, reason)
    VALUES (request_publication.run_id, 'upload', request_publication.requested_by, request_publication.reason);
END $$;
COMMENT ON FUNCTION request_publication IS 'Starts a run of kind publish, or joins an open one with the same experiment, file, card and force. `params` has all three.';

CREATE FUNCTION add_published_experiment(
    name text, task text, learning_rate double precision, momentum double precision, params jsonb, metrics jsonb, owner text,
    started_at timestamptz, OUT outcome text, OUT current_name text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    LOCK TABLE previous_names IN SHARE ROW EXCLUSIVE MODE; -- no rename takes or frees the name meanwhile
    outcome := 'present';
    current_name := add_published_experiment.name;
    IF EXISTS (SELECT FROM experiments e WHERE e.name = add_published_experiment.name) THEN RETURN; END IF;
    SELECT 'renamed', e.name INTO outcome, current_name
    FROM previous_names p JOIN experiments e ON e.id = p.experiment_id WHERE p.name = add_published_experiment.name;
    IF FOUND THEN RETURN; END IF;
    INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics, source, state, owner, started_at, ended_at)
    VALUES (add_published_experiment.name, add_published_experiment.task, add_published_experiment.learning_rate,
            add_published_experiment.momentum, add_published_experiment.params, add_published_experiment.metrics, 'pipeline', 'finished',
            add_published_experiment.owner, add_published_experiment.started_at, now())
    ON CONFLICT (name) DO NOTHING;
    outcome := CASE WHEN FOUND THEN 'added' ELSE 'present' END;
    current_name := add_published_experiment.name;
END $$;
COMMENT ON FUNCTION add_published_experiment IS 'Adds the experiment of a published model, with the source pipeline. outcome: added, present, or renamed if the name is the previous one of `current_name`.';

CREATE OR REPLACE VIEW retraining_history AS
SELECT o.task, o.run_id, o.kind, o.experiment_name, o.created_at, o.finished_at, o.state, o.trigger, o.requested_by, o.dataset_digest,
       o.gain, o.gain_lower, o.p_better, o.verdict, o.reasons[1] AS first_reason, o.candidate_version, o.promoted_by, o.promoted_at,
       b.at AS rolled_back_at, b.moved_by AS rolled_back_by
FROM pipeline_overview o
LEFT JOIN LATERAL (
    SELECT e.at, e.moved_by FROM alias_events e WHERE e.takes_back = o.alias_event_id ORDER BY e.id LIMIT 1
) AS b ON true
WHERE o.kind IN ('retrain', 'compare');
