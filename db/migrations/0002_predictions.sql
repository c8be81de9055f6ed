-- What the models are, what they saw and said, and what people corrected; summaries of it that are kept up to date; views for people.
-- Ids are made by the inference service: those of images, versions and predictions from their content, so that a repeated write
-- adds nothing, and those of events from the time (UUIDv7).

CREATE TABLE model_versions (
    id              uuid PRIMARY KEY,
    experiment_name text NOT NULL,
    version         integer NOT NULL,
    digest          text,
    format          text NOT NULL,
    task            text NOT NULL,
    classes         text[] NOT NULL,
    input           jsonb NOT NULL,
    output          text NOT NULL,
    bytes           bigint,
    status          text NOT NULL CHECK (status IN ('READY', 'LOADING', 'FAILED', 'GONE')),
    reason          text,
    parity          jsonb,
    test_accuracy   double precision,
    first_seen_at   timestamptz NOT NULL,
    status_since    timestamptz NOT NULL,
    CHECK ((status = 'FAILED') = (reason IS NOT NULL))
);
CREATE INDEX model_versions_by_name ON model_versions (experiment_name, version);
COMMENT ON TABLE model_versions IS 'Every content that a version of a model ever had: another file or another contract of the same version is another row.';
COMMENT ON COLUMN model_versions.id IS 'Made from name, version, digest, task, classes and contract.';
COMMENT ON COLUMN model_versions.experiment_name IS 'The experiment, see experiments.name; a model may have none.';
COMMENT ON COLUMN model_versions.version IS 'Its version: models/NAME/3 is 3, models/NAME and a loose file are 1.';
COMMENT ON COLUMN model_versions.digest IS 'sha256 of model.keras, or of model.tflite where there is no other; null when it could not be read.';
COMMENT ON COLUMN model_versions.format IS 'What the service runs: litert.';
COMMENT ON COLUMN model_versions.task IS 'What it tells apart, see experiments.task.';
COMMENT ON COLUMN model_versions.classes IS 'Its labels, in the order of its output.';
COMMENT ON COLUMN model_versions.input IS 'Its input contract: height, width, scale, invert.';
COMMENT ON COLUMN model_versions.output IS 'What the model gives: probabilities or logits. Stored predictions are always probabilities.';
COMMENT ON COLUMN model_versions.bytes IS 'Size of the LiteRT model.';
COMMENT ON COLUMN model_versions.status IS 'READY (serves), LOADING, FAILED (see reason), or GONE: the model directory has this content no more.';
COMMENT ON COLUMN model_versions.reason IS 'Why it is FAILED; null unless it is.';
COMMENT ON COLUMN model_versions.parity IS 'How the LiteRT model agreed with Keras: images, max_abs_difference, equal_argmax.';
COMMENT ON COLUMN model_versions.test_accuracy IS 'What its card says of its accuracy on the task''s test images, 0 to 1.';
COMMENT ON COLUMN model_versions.first_seen_at IS 'When the service first saw this content.';
COMMENT ON COLUMN model_versions.status_since IS 'When its status last changed.';

CREATE TABLE images (
    id            uuid PRIMARY KEY,
    digest        text NOT NULL,
    width         integer NOT NULL,
    height        integer NOT NULL,
    bytes         integer NOT NULL,
    media_type    text NOT NULL,
    ink_share     real NOT NULL,
    mean          real NOT NULL,
    centroid_x    real,
    centroid_y    real,
    border        real NOT NULL,
    first_seen_at timestamptz NOT NULL,
    original_url  text,
    stored_at     timestamptz,
    deleted_at    timestamptz,
    CHECK (id = left(digest, 32)::uuid),
    CHECK ((original_url IS NULL) = (stored_at IS NULL))
);
CREATE INDEX images_by_first_seen ON images (first_seen_at);
CREATE INDEX images_stored ON images (stored_at) WHERE stored_at IS NOT NULL;
COMMENT ON TABLE images IS 'Every image that a model read, by the 28x28 pixels that the models saw: originals with the same pixels are one image.';
COMMENT ON COLUMN images.id IS 'The first 128 bits of digest.';
COMMENT ON COLUMN images.digest IS 'sha256 of the 28x28 pixels; image_digest of the API.';
COMMENT ON COLUMN images.width IS 'Width of the first original, in pixels.';
COMMENT ON COLUMN images.height IS 'Height of the first original, in pixels.';
COMMENT ON COLUMN images.bytes IS 'Size of the first original, in bytes.';
COMMENT ON COLUMN images.media_type IS 'Type of the first original, as image/png; application/json for an array.';
COMMENT ON COLUMN images.ink_share IS 'Share of the 28x28 pixels that are ink (above half of the range), 0 to 1.';
COMMENT ON COLUMN images.mean IS 'Mean of the 28x28 pixels, 0 to 255, ink high.';
COMMENT ON COLUMN images.centroid_x IS 'Column of the centre of mass of the ink, 0 to 27; null without ink.';
COMMENT ON COLUMN images.centroid_y IS 'Row of the centre of mass of the ink, 0 to 27; null without ink.';
COMMENT ON COLUMN images.border IS 'Mean of the outermost pixels, 0 to 255: high where the digit is cut off or not cropped.';
COMMENT ON COLUMN images.first_seen_at IS 'When a model first read it.';
COMMENT ON COLUMN images.original_url IS 'Where the original is stored; null when it is not, or no more.';
COMMENT ON COLUMN images.stored_at IS 'When the original was stored; its retention time counts from here.';
COMMENT ON COLUMN images.deleted_at IS 'When the original was last deleted because its retention time was over.';

CREATE TABLE predictions (
    id               uuid PRIMARY KEY,
    image_id         uuid NOT NULL REFERENCES images,
    model_version_id uuid NOT NULL REFERENCES model_versions,
    task             text NOT NULL,
    label            text NOT NULL,
    confidence       real NOT NULL,
    probabilities    real[] NOT NULL,
    created_at       timestamptz NOT NULL,
    events           bigint NOT NULL DEFAULT 0,
    last_event_at    timestamptz NOT NULL,
    disagrees        boolean NOT NULL DEFAULT false,
    true_label       text,
    UNIQUE (image_id, model_version_id)
) WITH (fillfactor = 85);  -- room for the counts of repeated requests beside the row
CREATE INDEX predictions_by_time ON predictions (created_at, id);
CREATE INDEX predictions_by_label ON predictions (label, created_at, id);
CREATE INDEX predictions_by_version ON predictions (model_version_id, label, created_at, id);
CREATE INDEX predictions_disagreeing ON predictions (created_at, id) WHERE disagrees;
CREATE INDEX predictions_labelled ON predictions (created_at, id) WHERE true_label IS NOT NULL;
COMMENT ON TABLE predictions IS 'What a version of a model says of an image: one row, however often it was asked. The view prediction_log shows it with names.';
COMMENT ON COLUMN predictions.id IS 'prediction_id of the API; made from image and version.';
COMMENT ON COLUMN predictions.image_id IS 'The image, see images.id.';
COMMENT ON COLUMN predictions.model_version_id IS 'The version, see model_versions.id.';
COMMENT ON COLUMN predictions.task IS 'The version''s task.';
COMMENT ON COLUMN predictions.label IS 'The most probable label.';
COMMENT ON COLUMN predictions.confidence IS 'Its probability, 0 to 1.';
COMMENT ON COLUMN predictions.probabilities IS 'The probability of each label, in the order of model_versions.classes.';
COMMENT ON COLUMN predictions.created_at IS 'When it was first answered.';
COMMENT ON COLUMN predictions.events IS 'How many requests it answered; survives events that were dropped.';
COMMENT ON COLUMN predictions.last_event_at IS 'When it last answered a request.';
COMMENT ON COLUMN predictions.disagrees IS 'Whether versions of the same task give this image different labels.';
COMMENT ON COLUMN predictions.true_label IS 'What a person says that the image shows, see labels; null when nobody did.';

CREATE TABLE prediction_events (
    id            uuid NOT NULL,
    at            timestamptz NOT NULL,
    prediction_id uuid NOT NULL REFERENCES predictions,
    milliseconds  real NOT NULL,
    cached        boolean NOT NULL,
    request_id    text NOT NULL,
    source        text,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX prediction_events_by_prediction ON prediction_events (prediction_id, at);
COMMENT ON TABLE prediction_events IS 'Every request that a prediction answered, also repeated ones; a partition per month (UTC). SELECT drop_events_before(''2026-01-01'') drops old months.';
COMMENT ON COLUMN prediction_events.id IS 'UUIDv7: rises with time.';
COMMENT ON COLUMN prediction_events.at IS 'When it was answered.';
COMMENT ON COLUMN prediction_events.prediction_id IS 'What was answered, see predictions.id.';
COMMENT ON COLUMN prediction_events.milliseconds IS 'Time from the beginning of the request''s work until this answer was there.';
COMMENT ON COLUMN prediction_events.cached IS 'Whether the answer was remembered, and no model run.';
COMMENT ON COLUMN prediction_events.request_id IS 'X-Request-Id of the request.';
COMMENT ON COLUMN prediction_events.source IS 'Program that asked: the first word of its User-Agent; null when it gave none.';

CREATE TABLE labels (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    image_id    uuid NOT NULL REFERENCES images,
    task        text NOT NULL,
    label       text NOT NULL,
    labelled_by text NOT NULL,
    labelled_at timestamptz NOT NULL DEFAULT now(),
    replaced_at timestamptz
);
CREATE UNIQUE INDEX labels_current ON labels (image_id, task) WHERE replaced_at IS NULL;
CREATE INDEX labels_by_image ON labels (image_id);
COMMENT ON TABLE labels IS 'What people say that images show. Rows are only added; the current one of an image and task has no replaced_at.';
COMMENT ON COLUMN labels.id IS 'Rises with time.';
COMMENT ON COLUMN labels.image_id IS 'The image, see images.id.';
COMMENT ON COLUMN labels.task IS 'The task whose label it is.';
COMMENT ON COLUMN labels.label IS 'The true label.';
COMMENT ON COLUMN labels.labelled_by IS 'Who says so.';
COMMENT ON COLUMN labels.labelled_at IS 'When.';
COMMENT ON COLUMN labels.replaced_at IS 'When another label took its place; null while it stands.';

-- Summaries, kept by the triggers below, so that no view has to read every prediction or event.

CREATE TABLE image_votes (
    image_id      uuid NOT NULL REFERENCES images,
    task          text NOT NULL,
    versions      integer NOT NULL,
    lowest_label  text NOT NULL,
    highest_label text NOT NULL,
    disagrees     boolean GENERATED ALWAYS AS (lowest_label <> highest_label) STORED,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (image_id, task)
);
CREATE INDEX image_votes_disagreeing ON image_votes (changed_at, image_id) WHERE disagrees;
COMMENT ON TABLE image_votes IS 'Whether the versions of a task agree about an image; kept up to date by a trigger. The view disagreements shows it with names and votes.';
COMMENT ON COLUMN image_votes.image_id IS 'The image, see images.id.';
COMMENT ON COLUMN image_votes.task IS 'The task.';
COMMENT ON COLUMN image_votes.versions IS 'How many versions predicted.';
COMMENT ON COLUMN image_votes.lowest_label IS 'The first of the predicted labels in the order of text.';
COMMENT ON COLUMN image_votes.highest_label IS 'The last of them.';
COMMENT ON COLUMN image_votes.disagrees IS 'Whether these differ.';
COMMENT ON COLUMN image_votes.changed_at IS 'When a version last predicted it for the first time.';

CREATE TABLE confusion_counts (
    model_version_id uuid NOT NULL REFERENCES model_versions,
    true_label       text NOT NULL,
    predicted_label  text NOT NULL,
    images           bigint NOT NULL,
    PRIMARY KEY (model_version_id, true_label, predicted_label)
);
COMMENT ON TABLE confusion_counts IS 'Labelled images by version, true and predicted label; kept up to date by triggers. The views confusion and live_accuracy show it with names.';
COMMENT ON COLUMN confusion_counts.model_version_id IS 'The version, see model_versions.id.';
COMMENT ON COLUMN confusion_counts.true_label IS 'What people say.';
COMMENT ON COLUMN confusion_counts.predicted_label IS 'What the version says.';
COMMENT ON COLUMN confusion_counts.images IS 'How many images.';

CREATE TABLE traffic (
    minute           timestamptz NOT NULL,
    model_version_id uuid NOT NULL REFERENCES model_versions,
    events           bigint NOT NULL,
    cached           bigint NOT NULL,
    milliseconds     double precision NOT NULL,
    PRIMARY KEY (minute, model_version_id)
);
COMMENT ON TABLE traffic IS 'Events by minute and version; kept up to date by a trigger, and kept when events are dropped. The view traffic_per_minute shows it with names.';
COMMENT ON COLUMN traffic.minute IS 'Beginning of the minute.';
COMMENT ON COLUMN traffic.model_version_id IS 'The version, see model_versions.id.';
COMMENT ON COLUMN traffic.events IS 'How many answers.';
COMMENT ON COLUMN traffic.cached IS 'How many of them were remembered.';
COMMENT ON COLUMN traffic.milliseconds IS 'Sum of their milliseconds.';

-- Who writes predictions or labels takes this lock first, until its transaction ends: the triggers below change rows that several
-- writers share, in an order that nobody could keep.
CREATE FUNCTION lock_summaries() RETURNS void LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(hashtext('summaries of predictions')) $$;
COMMENT ON FUNCTION lock_summaries IS 'Waits until no other transaction adds predictions, events or labels, and keeps others waiting until this one ends.';

-- New predictions: those of labelled images count in the confusion, and an image's versions may disagree from now on.
CREATE FUNCTION summarise_predictions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
CREATE TRIGGER summarise AFTER INSERT ON predictions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION summarise_predictions();
COMMENT ON FUNCTION summarise_predictions IS 'Keeps confusion_counts, image_votes and predictions.disagrees up to date when predictions are added.';

CREATE FUNCTION summarise_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_summaries();
    WITH counted AS (
        SELECT prediction_id, count(*) AS events, max(at) AS last_event_at FROM added GROUP BY 1
    )
    UPDATE predictions p SET events = p.events + c.events, last_event_at = greatest(p.last_event_at, c.last_event_at)
    FROM counted c WHERE p.id = c.prediction_id;

    INSERT INTO traffic AS t (minute, model_version_id, events, cached, milliseconds)
    SELECT date_bin('1 minute', a.at, 'epoch'), p.model_version_id, count(*), count(*) FILTER (WHERE a.cached), sum(a.milliseconds)
    FROM added a JOIN predictions p ON p.id = a.prediction_id GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (minute, model_version_id) DO UPDATE
    SET events = t.events + excluded.events, cached = t.cached + excluded.cached, milliseconds = t.milliseconds + excluded.milliseconds;
    RETURN NULL;
END $$;
CREATE TRIGGER summarise AFTER INSERT ON prediction_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION summarise_events();
COMMENT ON FUNCTION summarise_events IS 'Keeps traffic and the counts of predictions up to date when events are added.';

-- A label.
CREATE FUNCTION replace_label() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_summaries();
    UPDATE labels SET replaced_at = clock_timestamp() WHERE image_id = NEW.image_id AND task = NEW.task AND replaced_at IS NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER replace_label BEFORE INSERT ON labels FOR EACH ROW EXECUTE FUNCTION replace_label();
COMMENT ON FUNCTION replace_label IS 'Ends the label that stood before a new one.';

CREATE FUNCTION apply_label() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    WITH changed AS (
        UPDATE predictions SET true_label = NEW.label
        WHERE image_id = NEW.image_id AND task = NEW.task AND true_label IS DISTINCT FROM NEW.label
        RETURNING WITH (OLD AS before) model_version_id, predictions.label, before.true_label AS was
    ), counted AS (
        SELECT model_version_id, was AS true_label, label, -1 AS images FROM changed WHERE was IS NOT NULL
        UNION ALL
        SELECT model_version_id, NEW.label, label, 1 FROM changed
    )
    INSERT INTO confusion_counts AS c (model_version_id, true_label, predicted_label, images)
    SELECT model_version_id, true_label, label, sum(images) FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (model_version_id, true_label, predicted_label) DO UPDATE SET images = c.images + excluded.images;
    RETURN NULL;
END $$;
CREATE TRIGGER apply_label AFTER INSERT ON labels FOR EACH ROW EXECUTE FUNCTION apply_label();
COMMENT ON FUNCTION apply_label IS 'Writes a new label to the predictions of its image and task, and counts them anew in confusion_counts.';

CREATE FUNCTION label_prediction(
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
COMMENT ON FUNCTION label_prediction IS 'Stores a true label for a prediction''s image, unless another one stands that `replaces` does not name. outcome: stored, unchanged, conflict, no class, unknown.';

-- Partitions of the events, one a month.
CREATE FUNCTION make_events_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    beginning timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    name      text := 'prediction_events_' || to_char(beginning, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('make_events_partition'));
    IF to_regclass(name) IS NOT NULL THEN RETURN NULL; END IF;
    -- made apart and attached: that waits for nobody who reads the events
    EXECUTE format('CREATE TABLE %I (LIKE prediction_events INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE prediction_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   name, beginning AT TIME ZONE 'UTC', (beginning + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Events of ' || to_char(beginning, 'YYYY-MM') || ' (UTC), see prediction_events.');
    RETURN name;
END $$;
COMMENT ON FUNCTION make_events_partition IS 'Makes the partition of prediction_events for a month (UTC) if it is not there, and returns its name if it was not.';

CREATE FUNCTION drop_events_before(moment timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'prediction_events'::regclass
          AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= moment AT TIME ZONE 'UTC'
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        RETURN NEXT name;
    END LOOP;
END $$;
COMMENT ON FUNCTION drop_events_before IS 'Drops the events of whole months (UTC) that ended before a moment, and returns the names of their partitions. Predictions, labels and traffic stay.';

-- Views for people.

CREATE VIEW prediction_log AS
SELECT p.id AS prediction_id, p.created_at, m.experiment_name, m.version, p.task, i.digest AS image_digest, p.label, p.confidence,
       (SELECT jsonb_object_agg(c.label, c.probability)
        FROM unnest(m.classes, p.probabilities) AS c (label, probability)) AS probabilities,
       p.true_label, p.disagrees, p.events, p.last_event_at, i.original_url, m.digest AS model_digest
FROM predictions p
JOIN model_versions m ON m.id = p.model_version_id
JOIN images i ON i.id = p.image_id;
COMMENT ON VIEW prediction_log IS 'Every prediction with its names: SELECT * FROM prediction_log ORDER BY created_at DESC LIMIT 20.';
COMMENT ON COLUMN prediction_log.prediction_id IS 'See predictions.id.';
COMMENT ON COLUMN prediction_log.created_at IS 'See predictions.created_at.';
COMMENT ON COLUMN prediction_log.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN prediction_log.version IS 'See model_versions.version.';
COMMENT ON COLUMN prediction_log.task IS 'See predictions.task.';
COMMENT ON COLUMN prediction_log.image_digest IS 'See images.digest.';
COMMENT ON COLUMN prediction_log.label IS 'What the version says.';
COMMENT ON COLUMN prediction_log.confidence IS 'See predictions.confidence.';
COMMENT ON COLUMN prediction_log.probabilities IS 'The probability of each label, by label.';
COMMENT ON COLUMN prediction_log.true_label IS 'What people say; null when nobody did.';
COMMENT ON COLUMN prediction_log.disagrees IS 'See predictions.disagrees.';
COMMENT ON COLUMN prediction_log.events IS 'See predictions.events.';
COMMENT ON COLUMN prediction_log.last_event_at IS 'See predictions.last_event_at.';
COMMENT ON COLUMN prediction_log.original_url IS 'See images.original_url.';
COMMENT ON COLUMN prediction_log.model_digest IS 'See model_versions.digest.';

CREATE VIEW confusion AS
SELECT m.experiment_name, m.version, m.task, e.learning_rate, e.momentum, c.true_label, c.predicted_label, c.images,
       c.true_label = c.predicted_label AS is_right, m.digest AS model_digest
FROM confusion_counts c
JOIN model_versions m ON m.id = c.model_version_id
LEFT JOIN experiments e ON e.name = m.experiment_name
WHERE c.images > 0;
COMMENT ON VIEW confusion IS 'The confusion matrix of every version over the images that people labelled, a row per cell: SELECT learning_rate, sum(images) FROM confusion WHERE true_label = ''4'' AND predicted_label = ''9'' GROUP BY learning_rate.';
COMMENT ON COLUMN confusion.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN confusion.version IS 'See model_versions.version.';
COMMENT ON COLUMN confusion.task IS 'See model_versions.task.';
COMMENT ON COLUMN confusion.learning_rate IS 'See experiments.learning_rate; null for a model without an experiment.';
COMMENT ON COLUMN confusion.momentum IS 'See experiments.momentum; null for a model without an experiment.';
COMMENT ON COLUMN confusion.true_label IS 'What people say.';
COMMENT ON COLUMN confusion.predicted_label IS 'What the version says.';
COMMENT ON COLUMN confusion.images IS 'How many images.';
COMMENT ON COLUMN confusion.is_right IS 'Whether both are the same.';
COMMENT ON COLUMN confusion.model_digest IS 'See model_versions.digest.';

CREATE VIEW live_accuracy AS
SELECT experiment_name, version, task, learning_rate, momentum,
       sum(images) AS images, coalesce(sum(images) FILTER (WHERE is_right), 0) AS correct,
       round(coalesce(sum(images) FILTER (WHERE is_right), 0) / sum(images), 6)::double precision AS accuracy, model_digest
FROM confusion
GROUP BY experiment_name, version, task, learning_rate, momentum, model_digest;
COMMENT ON VIEW live_accuracy IS 'How often each version was right on the images that people labelled: SELECT * FROM live_accuracy ORDER BY accuracy DESC.';
COMMENT ON COLUMN live_accuracy.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN live_accuracy.version IS 'See model_versions.version.';
COMMENT ON COLUMN live_accuracy.task IS 'See model_versions.task.';
COMMENT ON COLUMN live_accuracy.learning_rate IS 'See experiments.learning_rate; null for a model without an experiment.';
COMMENT ON COLUMN live_accuracy.momentum IS 'See experiments.momentum; null for a model without an experiment.';
COMMENT ON COLUMN live_accuracy.images IS 'Labelled images that it predicted.';
COMMENT ON COLUMN live_accuracy.correct IS 'Of these, how many it predicted as they are labelled.';
COMMENT ON COLUMN live_accuracy.accuracy IS 'Their share, 0 to 1.';
COMMENT ON COLUMN live_accuracy.model_digest IS 'See model_versions.digest.';

CREATE VIEW disagreements AS
SELECT v.changed_at, i.digest AS image_digest, v.task, v.versions, c.votes, l.label AS true_label, i.original_url
FROM image_votes v
JOIN images i ON i.id = v.image_id
LEFT JOIN labels l ON l.image_id = v.image_id AND l.task = v.task AND l.replaced_at IS NULL
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(label, votes) AS votes
    FROM (SELECT label, count(*) AS votes FROM predictions p WHERE p.image_id = v.image_id AND p.task = v.task GROUP BY label) AS counted
) AS c
WHERE v.disagrees;
COMMENT ON VIEW disagreements IS 'Images of which the versions of a task say different things: SELECT * FROM disagreements ORDER BY changed_at DESC LIMIT 20.';
COMMENT ON COLUMN disagreements.changed_at IS 'When a version last predicted it for the first time.';
COMMENT ON COLUMN disagreements.image_digest IS 'See images.digest.';
COMMENT ON COLUMN disagreements.task IS 'The task.';
COMMENT ON COLUMN disagreements.versions IS 'How many versions predicted it.';
COMMENT ON COLUMN disagreements.votes IS 'How many of them gave each label.';
COMMENT ON COLUMN disagreements.true_label IS 'What people say; null when nobody did.';
COMMENT ON COLUMN disagreements.original_url IS 'See images.original_url.';

CREATE VIEW traffic_per_minute AS
SELECT t.minute, m.experiment_name, m.version, m.task, t.events, t.cached, t.milliseconds / t.events AS mean_milliseconds
FROM traffic t
JOIN model_versions m ON m.id = t.model_version_id;
COMMENT ON VIEW traffic_per_minute IS 'How much each version answered: SELECT minute, sum(events) FROM traffic_per_minute WHERE minute > now() - interval ''1 hour'' GROUP BY minute ORDER BY minute.';
COMMENT ON COLUMN traffic_per_minute.minute IS 'Beginning of the minute.';
COMMENT ON COLUMN traffic_per_minute.experiment_name IS 'See experiments.name.';
COMMENT ON COLUMN traffic_per_minute.version IS 'See model_versions.version.';
COMMENT ON COLUMN traffic_per_minute.task IS 'See model_versions.task.';
COMMENT ON COLUMN traffic_per_minute.events IS 'How many answers.';
COMMENT ON COLUMN traffic_per_minute.cached IS 'How many of them were remembered, and no model run.';
COMMENT ON COLUMN traffic_per_minute.mean_milliseconds IS 'Their mean time.';

GRANT SELECT ON model_versions, images, predictions, prediction_events, labels, image_votes, confusion_counts, traffic,
    prediction_log, confusion, live_accuracy, disagreements, traffic_per_minute TO mlops_app, mlops_read;
GRANT SELECT ON imports, import_rejects TO mlops_app;
GRANT INSERT ON model_versions, images, prediction_events TO mlops_app;
GRANT INSERT (id, image_id, model_version_id, task, label, confidence, probabilities, created_at, last_event_at) ON predictions TO mlops_app;
GRANT UPDATE (status, reason, status_since) ON model_versions TO mlops_app;
GRANT UPDATE (original_url, stored_at, deleted_at) ON images TO mlops_app;
-- A function that acts as the owner must not be attached to a table of somebody else's, say a temporary one.
REVOKE EXECUTE ON FUNCTION drop_events_before, make_events_partition, label_prediction, lock_summaries,
    summarise_predictions, summarise_events, replace_label, apply_label FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_events_partition, label_prediction, lock_summaries TO mlops_app;

DO $$
BEGIN
    PERFORM make_events_partition(now()), make_events_partition(now() + interval '1 month');
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO mlops_app', current_database());
END $$;
