-- Images without a digit and with several digits: their warnings are stored. Such an image has no label and no votes, so that no summary
-- counts it: confusion_counts, image_votes and predictions.disagrees, and with them the views live_accuracy, confusion and disagreements.

ALTER TABLE images ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN images.warnings IS 'Warnings about the image: ''no digit found'' or ''several digits (N)''. Empty for a usual image. An image with a warning has no label and counts in no view.';
GRANT UPDATE (warnings) ON images TO mlops_app;

-- An image may get its warning after its predictions: from another original of the same pixels, or from a newer version of the service.
CREATE FUNCTION apply_warnings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_summaries();
    UPDATE labels SET replaced_at = clock_timestamp() WHERE image_id = NEW.id AND replaced_at IS NULL AND NEW.warnings <> '{}';
    DELETE FROM image_votes WHERE image_id = NEW.id;
    INSERT INTO image_votes (image_id, task, versions, lowest_label, highest_label, changed_at)
    SELECT image_id, task, count(*), min(label), max(label), max(created_at) FROM predictions
    WHERE image_id = NEW.id AND NEW.warnings = '{}' GROUP BY 1, 2;
    WITH changed AS (
        UPDATE predictions p
        SET disagrees = EXISTS (SELECT FROM image_votes v WHERE v.image_id = NEW.id AND v.task = p.task AND v.disagrees),
            true_label = CASE WHEN NEW.warnings = '{}' THEN true_label END
        WHERE image_id = NEW.id
        RETURNING WITH (OLD AS before, NEW AS after) after.model_version_id, after.label, before.true_label AS was, after.true_label
    ), counted AS (
        SELECT model_version_id, was, label, count(*) AS images FROM changed WHERE was IS DISTINCT FROM true_label GROUP BY 1, 2, 3
    )
    UPDATE confusion_counts c SET images = c.images - n.images FROM counted n
    WHERE c.model_version_id = n.model_version_id AND c.true_label = n.was AND c.predicted_label = n.label;
    RETURN NULL;
END $$;
CREATE TRIGGER apply_warnings AFTER UPDATE OF warnings ON images FOR EACH ROW
    WHEN ((OLD.warnings = '{}') <> (NEW.warnings = '{}')) EXECUTE FUNCTION apply_warnings();
COMMENT ON FUNCTION apply_warnings IS 'Trigger on images: ends the labels and votes of an image that gets a warning, and updates confusion_counts and predictions. Restores the votes when the warning is removed.';
REVOKE EXECUTE ON FUNCTION apply_warnings FROM PUBLIC;

-- As before, but without votes on images with a warning.
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
        SELECT a.image_id, a.task, count(*), min(a.label), max(a.label), max(a.created_at)
        FROM added a JOIN images i ON i.id = a.image_id WHERE i.warnings = '{}' GROUP BY 1, 2 ORDER BY 1, 2
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
    IF EXISTS (SELECT FROM images WHERE id = NEW.image_id AND warnings <> '{}') THEN
        RAISE check_violation USING MESSAGE = format('image %s has a warning and takes no label', NEW.image_id);
    END IF;
    UPDATE labels SET replaced_at = clock_timestamp() WHERE image_id = NEW.image_id AND task = NEW.task AND replaced_at IS NULL;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION replace_label IS 'Trigger on labels: sets replaced_at of the current label before a new one. Rejects a label of an image with a warning.';

CREATE OR REPLACE FUNCTION label_prediction(
    prediction uuid, label text, labelled_by text, replaces text,
    OUT outcome text, OUT task text, OUT classes text[], OUT current_label text, OUT current_by text, OUT labelled_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    image    uuid;
    warnings text[];
BEGIN
    PERFORM lock_summaries();
    SELECT p.image_id, p.task, m.classes, i.warnings INTO image, task, classes, warnings
    FROM predictions p JOIN model_versions m ON m.id = p.model_version_id JOIN images i ON i.id = p.image_id WHERE p.id = prediction;
    IF image IS NULL THEN outcome := 'unknown'; RETURN; END IF;
    IF label_prediction.label <> ALL (classes) THEN outcome := 'no class'; RETURN; END IF;
    IF 'no digit found' = ANY (warnings) THEN outcome := 'no digit'; RETURN; END IF;
    IF warnings <> '{}' THEN outcome := 'several digits'; RETURN; END IF;
    SELECT l.label, l.labelled_by, l.labelled_at INTO current_label, current_by, labelled_at
    FROM labels l WHERE l.image_id = image AND l.task = label_prediction.task AND l.replaced_at IS NULL;
    IF current_label = label_prediction.label THEN outcome := 'unchanged'; RETURN; END IF;
    IF current_label IS DISTINCT FROM replaces THEN outcome := 'conflict'; RETURN; END IF;
    INSERT INTO labels AS l (image_id, task, label, labelled_by)
    VALUES (image, label_prediction.task, label_prediction.label, label_prediction.labelled_by)
    RETURNING l.label, l.labelled_by, l.labelled_at INTO current_label, current_by, labelled_at;
    outcome := 'stored';
END $$;
COMMENT ON FUNCTION label_prediction IS 'Stores the correct label of a prediction''s image. `replaces` must name the current label, if there is another one. outcome: stored, unchanged, conflict, no digit, several digits, no class, unknown.';

CREATE OR REPLACE VIEW prediction_log AS
SELECT p.id AS prediction_id, p.created_at, m.experiment_name, m.version, p.task, i.digest AS image_digest, p.label, p.confidence,
       (SELECT jsonb_object_agg(c.label, c.probability)
        FROM unnest(m.classes, p.probabilities) AS c (label, probability)) AS probabilities,
       p.true_label, p.disagrees, p.events, p.last_event_at, i.original_url, m.digest AS model_digest, i.warnings
FROM predictions p
JOIN model_versions m ON m.id = p.model_version_id
JOIN images i ON i.id = p.image_id;
COMMENT ON COLUMN prediction_log.warnings IS 'Warnings about the image: ''no digit found'' or ''several digits (N)''. Empty for a usual image.';
COMMENT ON COLUMN prediction_log.disagrees IS 'True when versions of the same task predict different labels for this image. False for an image with a warning.';
COMMENT ON COLUMN predictions.disagrees IS 'True when versions of the same task predict different labels for this image. False for an image with a warning.';
COMMENT ON TABLE image_votes IS 'Agreement of a task''s model versions per image without a warning, maintained by triggers. The view disagreements adds names and votes.';
COMMENT ON FUNCTION summarise_predictions IS 'Trigger on predictions: updates confusion_counts, image_votes, predictions.true_label and predictions.disagrees. Images with a warning have no votes.';
COMMENT ON VIEW disagreements IS 'Images for which versions of the same task predict different labels, without images that have a warning: SELECT * FROM disagreements ORDER BY changed_at DESC LIMIT 20.';
COMMENT ON VIEW live_accuracy IS 'Accuracy of every model version on the labeled images, which have no warning: SELECT * FROM live_accuracy ORDER BY accuracy DESC.';

-- The blank image, which every picture without ink became.
UPDATE images SET warnings = '{no digit found}'
WHERE id = left(encode(sha256(decode(repeat('00', 28 * 28), 'hex')), 'hex'), 32)::uuid;
