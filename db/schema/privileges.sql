-- Privileges of mlops_app, mlops_read and mlops_pipeline: the complete list. Every set-up runs this after the migrations, in their
-- transaction, so a database that was restored without roles gets them as well. A migration that adds a relation or function adds its privileges here.

DO $$
BEGIN
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO mlops_app, mlops_read, mlops_pipeline', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO mlops_app', current_database());
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Functions of Postgres with which a role that only reads could stop others: advisory locks fill the lock table of the server, large
-- objects and messages its disk, and a role may end all sessions of its own name. Only a superuser may revoke them.
DO $$
DECLARE
    function regprocedure;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RETURN; END IF;
    FOR function IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege('mlops_read', oid, 'EXECUTE')
          AND (proname ~ '^(pg_(try_)?advisory_|lo_)' OR proname IN ('lowrite', 'loread', 'pg_cancel_backend', 'pg_logical_emit_message',
                                                                      'pg_notify', 'pg_terminate_backend'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO mlops_app, mlops_read, mlops_pipeline;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO mlops_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO mlops_read;

GRANT SELECT ON experiments, metric_curves, imports, import_rejects, leaderboard,
    model_versions, images, predictions, prediction_events, labels, image_votes, confusion_counts, traffic,
    prediction_log, confusion, live_accuracy, disagreements, traffic_per_minute,
    alias_events, aliases, alias_history, tasks, retention,
    datasets, dataset_images, uploads, pipeline_runs, pipeline_triggers, pipeline_steps, trainings, evaluations, comparisons,
    promotion_decisions, label_requests, schedules, retrain_requests, pipeline_workers, pipeline_overview, step_durations,
    dataset_lineage, retraining_history, labels_waiting, champion_timeline, lineage TO mlops_app, mlops_pipeline;
GRANT SELECT ON image_pixels, monitor_lease, drift_references, drift_monitors, drift_checks, alerts, reference_requests, robustness,
    open_alerts, drift_now, live_accuracy_over_time, error_atlas, skew TO mlops_app, mlops_pipeline;
GRANT SELECT ON projects, previous_names, run_params, run_points, run_histories, run_artifacts, logged_models
    TO mlops_app, mlops_pipeline;
GRANT SELECT ON replicas, replica_versions, live_replicas, served TO mlops_app, mlops_pipeline;
GRANT INSERT, UPDATE, DELETE ON replicas, replica_versions TO mlops_app;
GRANT INSERT ON model_versions, images, prediction_events TO mlops_app;
GRANT INSERT (id, image_id, model_version_id, task, label, confidence, probabilities, created_at, last_event_at, events)
    ON predictions TO mlops_app;
GRANT UPDATE (status, reason, status_since, bytes, parity, test_accuracy, probe_accuracy, probe_digits, probe_passed, probe_sentence,
    probe_best, training) ON model_versions TO mlops_app;
GRANT INSERT (task, digest, url, bytes, media_type, name, uploaded_by) ON uploads TO mlops_app;
GRANT INSERT (model_digest, experiment_name, version, image_set, set_digest, images, correct, by_class, evaluated_by)
    ON evaluations TO mlops_app;
-- The monitor, a process of the inference service.
GRANT INSERT (image_id, pixels) ON image_pixels TO mlops_app;
GRANT INSERT ON drift_references, drift_monitors, drift_checks, alerts, robustness TO mlops_app;
GRANT UPDATE (token, host, pid, seen_at) ON monitor_lease TO mlops_app;
GRANT UPDATE (replaced_at) ON drift_references TO mlops_app;
GRANT UPDATE (state, finished_at) ON reference_requests TO mlops_app;
GRANT UPDATE ON drift_monitors TO mlops_app;
GRANT UPDATE (families, severity, onset_at, onset_number, evidence, features, sources, example_images, last_seen_at, quiet_images)
    ON alerts TO mlops_app;
GRANT DELETE ON drift_checks TO mlops_app;
-- The tracking process, a process of the inference service. It may not touch the columns that belong to the CSV files.
GRANT INSERT (name, task, learning_rate, momentum, params, metrics, source, state, run_id, project_id, owner, note, tags, started_at,
    ended_at, heartbeat_at, creation_key), UPDATE (task, learning_rate, momentum, params, metrics, state, owner, note, note_revision,
    note_author, tags, tags_author, started_at, ended_at, heartbeat_at, silent_since, archived_at, updated_at) ON experiments TO mlops_app;
GRANT INSERT, UPDATE, DELETE ON metric_curves, run_points, run_histories, run_artifacts TO mlops_app;
GRANT INSERT, UPDATE ON run_params, projects, logged_models TO mlops_app;
GRANT INSERT, DELETE ON schedules TO mlops_app;
GRANT UPDATE (cron, experiment_name, params, enabled, changed_by, changed_at) ON schedules TO mlops_app;
GRANT UPDATE (original_url, stored_at, stored_seconds, deleted_at, warnings) ON images TO mlops_app;
DO $$
DECLARE
    month regclass;
BEGIN
    FOR month IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'prediction_events'::regclass ORDER BY 1 LOOP
        EXECUTE format('GRANT INSERT ON %s TO mlops_app', month);
    END LOOP;
END $$;

-- The worker of the pipeline. It moves no alias and requests no run except by the functions below.
GRANT INSERT ON datasets, dataset_images, pipeline_steps, trainings, evaluations, comparisons, promotion_decisions, label_requests,
    pipeline_workers TO mlops_pipeline;
GRANT UPDATE ON pipeline_steps, trainings, pipeline_workers TO mlops_pipeline;
GRANT UPDATE (task, dataset_id, code_digest, state, reason, started_at, finished_at, deaths, lease_token, heartbeat_at, worker)
    ON pipeline_runs TO mlops_pipeline;
GRANT UPDATE (state, reason, images, rejected, rejects) ON uploads TO mlops_pipeline;
GRANT UPDATE (candidate_version) ON promotion_decisions TO mlops_pipeline;
GRANT UPDATE (last_fired_at) ON schedules TO mlops_pipeline;
GRANT UPDATE (status, reason, run_id) ON retrain_requests TO mlops_pipeline;
GRANT DELETE ON pipeline_workers TO mlops_pipeline;

-- Functions of our own act as their owner, so only the service may call them.
REVOKE EXECUTE ON FUNCTION add_published_experiment, advance_retention, apply_label, apply_warnings, cancel_run, close_alert,
    count_events, count_traffic, drop_events_before, enqueue_run, expire_events, expire_pixels, first_champions, keep_events,
    label_prediction, lock_summaries, make_events_partition, move_alias, promote_run, refresh_model_states, rename_experiment,
    replace_label, replica_states, request_comparison, request_labels, request_novel_labels, request_publication, request_reference, request_retraining,
    request_run, request_score, retry_run, skip_label_request, summarise_events, summarise_predictions, withdraw_label FROM PUBLIC;
GRANT EXECUTE ON FUNCTION advance_retention, close_alert, count_events, count_traffic, expire_events, expire_pixels, first_champions,
    label_prediction, lock_summaries, make_events_partition, move_alias, refresh_model_states, rename_experiment, request_novel_labels, request_publication,
    request_reference, request_retraining, skip_label_request, withdraw_label TO mlops_app;
GRANT EXECUTE ON FUNCTION cancel_run, promote_run, request_comparison, request_labels, request_run, request_score, retry_run
    TO mlops_app, mlops_pipeline;
GRANT EXECUTE ON FUNCTION add_published_experiment, enqueue_run TO mlops_pipeline;
