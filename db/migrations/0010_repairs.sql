-- Repairs of databases that earlier commits set up: 0001, 0002, 0004 and 0007 were edited after they had been applied.
-- Locks of writers that only the service can take: any role could hold the advisory locks before, and so stop the log.

-- 0001 had another index.
DROP INDEX import_rejects_identity;
CREATE UNIQUE INDEX import_rejects_identity ON import_rejects (file, line, md5(coalesce(column_name, '') || chr(10) || reason || chr(10) || raw));
-- 0004 and 0007 lacked these.
ALTER TABLE metric_curves ALTER COLUMN steps SET STORAGE EXTERNAL, ALTER COLUMN metric_values SET STORAGE EXTERNAL;
ALTER TABLE predictions SET (fillfactor = 50);
-- 0002 granted more. What the roles need is granted again in the same transaction.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM mlops_app, mlops_read;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM mlops_app, mlops_read;

CREATE TABLE migration_fingerprints (
    migration   text PRIMARY KEY,
    sha256      text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE migration_fingerprints IS 'Fingerprints of applied migrations. The set-up fails when the file of one was edited later.';
COMMENT ON COLUMN migration_fingerprints.migration IS 'Name of the file in db/migrations, without .sql.';
COMMENT ON COLUMN migration_fingerprints.sha256 IS 'SHA-256 of the text as hex.';
COMMENT ON COLUMN migration_fingerprints.recorded_at IS 'Time of the set-up that applied it, or of the first one with this table.';

-- 0002 had no lock_summaries, or one with an advisory lock. Only the owner may lock this table exclusively, here for the service.
CREATE TABLE summaries_lock ();
COMMENT ON TABLE summaries_lock IS 'Empty. lock_summaries locks it for the writers of predictions, events and labels.';
CREATE OR REPLACE FUNCTION lock_summaries() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE summaries_lock IN EXCLUSIVE MODE;
END $$;

CREATE OR REPLACE FUNCTION summarise_predictions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    images uuid[];
    tasks  text[];
BEGIN
    PERFORM lock_summaries();
    WITH labelled AS (
        UPDATE predictions p SET true_label = l.label
        FROM added a JOIN labels l ON l.image_id = a.image_id AND l.task = a.task AND l.replaced_at IS NULL
        WHERE p.id = a.id
        RETURNING p.model_version_id, p.true_label, p.label
    )
    INSERT INTO confusion_counts AS c (model_version_id, true_label, predicted_label, images)
    SELECT model_version_id, true_label, label, count(*) FROM labelled GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (model_version_id, true_label, predicted_label) DO UPDATE SET images = c.images + excluded.images;

    WITH voted AS (
        INSERT INTO image_votes AS v (image_id, task, versions, lowest_label, highest_label, changed_at)
        SELECT image_id, task, count(*), min(label), max(label), max(created_at) FROM added GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (image_id, task) DO UPDATE
        SET versions = v.versions + excluded.versions, lowest_label = least(v.lowest_label, excluded.lowest_label),
            highest_label = greatest(v.highest_label, excluded.highest_label), changed_at = greatest(v.changed_at, excluded.changed_at)
        RETURNING image_id, task, disagrees
    )
    SELECT array_agg(image_id), array_agg(task) INTO images, tasks FROM voted WHERE disagrees;
    UPDATE predictions p SET disagrees = true
    FROM unnest(images, tasks) AS v (image_id, task)
    WHERE p.image_id = v.image_id AND p.task = v.task AND NOT p.disagrees;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION replace_label() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_summaries();
    UPDATE labels SET replaced_at = clock_timestamp() WHERE image_id = NEW.image_id AND task = NEW.task AND replaced_at IS NULL;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION label_prediction(
    prediction uuid, label text, labelled_by text, replaces text,
    OUT outcome text, OUT task text, OUT classes text[], OUT current_label text, OUT current_by text, OUT labelled_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    image uuid;
BEGIN
    PERFORM lock_summaries();
    SELECT p.image_id, p.task, m.classes INTO image, task, classes
    FROM predictions p JOIN model_versions m ON m.id = p.model_version_id WHERE p.id = prediction;
    IF image IS NULL THEN outcome := 'unknown'; RETURN; END IF;
    IF label_prediction.label <> ALL (classes) THEN outcome := 'no class'; RETURN; END IF;
    SELECT l.label, l.labelled_by, l.labelled_at INTO current_label, current_by, labelled_at
    FROM labels l WHERE l.image_id = image AND l.task = label_prediction.task AND l.replaced_at IS NULL;
    IF current_label = label_prediction.label THEN outcome := 'unchanged'; RETURN; END IF;
    IF current_label IS DISTINCT FROM replaces THEN outcome := 'conflict'; RETURN; END IF;
    INSERT INTO labels AS l (image_id, task, label, labelled_by)
    VALUES (image, label_prediction.task, label_prediction.label, label_prediction.labelled_by)
    RETURNING l.label, l.labelled_by, l.labelled_at INTO current_label, current_by, labelled_at;
    outcome := 'stored';
END $$;

CREATE OR REPLACE FUNCTION make_events_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    beginning timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    name      text := 'prediction_events_' || to_char(beginning, 'YYYY_MM');
BEGIN
    LOCK TABLE ONLY prediction_events IN SHARE UPDATE EXCLUSIVE MODE; -- that of ATTACH PARTITION: excludes another call
    IF to_regclass(name) IS NOT NULL THEN RETURN NULL; END IF;
    -- Created separately and attached, which does not wait for readers of the events.
    EXECUTE format('CREATE TABLE %I (LIKE prediction_events INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE prediction_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, beginning AT TIME ZONE 'UTC', (beginning + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Events of ' || to_char(beginning, 'YYYY-MM') || ' (UTC), see prediction_events.');
    EXECUTE format('GRANT INSERT ON %I TO mlops_app', name);
    RETURN name;
END $$;

CREATE OR REPLACE FUNCTION move_alias(
    task text, alias text, experiment_name text, version integer, model_digest text, moved_by text, reason text,
    expected bigint DEFAULT NULL, takes_back bigint DEFAULT NULL
) RETURNS alias_events LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    last  alias_events;
    added alias_events;
BEGIN
    LOCK TABLE alias_events IN SHARE ROW EXCLUSIVE MODE; -- excludes another move, and no reader
    SELECT * INTO last FROM alias_events e WHERE e.task = move_alias.task AND e.alias = move_alias.alias ORDER BY e.id DESC LIMIT 1;
    IF last.id <> expected THEN RETURN NULL; END IF;
    IF last.experiment_name = experiment_name AND last.version = version AND last.model_digest IS NOT DISTINCT FROM model_digest THEN
        RETURN last;
    END IF;
    INSERT INTO alias_events (
        task, alias, from_experiment_name, from_version, experiment_name, version, model_digest, moved_by, reason, takes_back
    )
    VALUES (task, alias, last.experiment_name, last.version, experiment_name, version, model_digest, moved_by, reason, takes_back)
    RETURNING * INTO added;
    RETURN added;
END $$;
