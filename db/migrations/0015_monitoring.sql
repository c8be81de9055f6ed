-- Monitoring: references, detectors with their state and checks, alerts, pixels of recent images, robustness of models. One monitor at a
-- time holds the lease; each of its transactions requires the token, so a check, its state and its alerts are stored exactly once.

-- Numbers are given in the order of commits, because writers hold lock_summaries(). Times are not: the journals of several workers may
-- arrive late.
ALTER TABLE predictions ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX predictions_by_number ON predictions (model_version_id, number);
COMMENT ON COLUMN predictions.number IS 'Position in the order in which predictions were stored, with gaps. A reader that remembers the highest number misses none.';

CREATE TABLE image_pixels (
    image_id uuid PRIMARY KEY REFERENCES images,
    pixels   bytea NOT NULL CHECK (octet_length(pixels) = 784),
    number   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kept     boolean NOT NULL DEFAULT false
);
ALTER TABLE image_pixels ALTER COLUMN pixels SET STORAGE EXTERNAL;
COMMENT ON TABLE image_pixels IS 'Canonical pixels of the newest 20,000 images and of the newest 20,000 labeled ones, for the monitor.';
COMMENT ON COLUMN image_pixels.image_id IS 'Image: images.id.';
COMMENT ON COLUMN image_pixels.pixels IS 'The 28x28 pixels that the models received, row by row, 0 to 255, ink high.';
COMMENT ON COLUMN image_pixels.number IS 'Position in the order in which they were stored.';
COMMENT ON COLUMN image_pixels.kept IS 'Whether the image has a label and so counts with the labeled ones.';

CREATE FUNCTION expire_pixels(keep integer DEFAULT 20000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    expired bigint;
BEGIN
    UPDATE image_pixels x SET kept = true
    WHERE NOT x.kept AND EXISTS (SELECT FROM labels l WHERE l.image_id = x.image_id AND l.replaced_at IS NULL);
    WITH limits AS (
        SELECT (SELECT number FROM image_pixels WHERE NOT kept ORDER BY number DESC OFFSET greatest(keep, 0) LIMIT 1) AS unlabeled,
               (SELECT number FROM image_pixels WHERE kept ORDER BY number DESC OFFSET greatest(keep, 0) LIMIT 1) AS labeled
    )
    DELETE FROM image_pixels x USING limits l WHERE x.number <= CASE WHEN x.kept THEN l.labeled ELSE l.unlabeled END;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END $$;
COMMENT ON FUNCTION expire_pixels IS 'Deletes the pixels of all but the newest `keep` images without and the newest `keep` images with a label, and returns their number.';

CREATE TABLE monitor_lease (
    id      boolean PRIMARY KEY DEFAULT true CHECK (id),
    token   uuid,
    host    text,
    pid     integer,
    seen_at timestamptz
);
INSERT INTO monitor_lease DEFAULT VALUES;
COMMENT ON TABLE monitor_lease IS 'Lease of the monitor: one row. The process whose token it has examines the predictions.';
COMMENT ON COLUMN monitor_lease.id IS 'Always true.';
COMMENT ON COLUMN monitor_lease.token IS 'Token of the process that holds the lease, null if none does.';
COMMENT ON COLUMN monitor_lease.host IS 'Name of its machine or container.';
COMMENT ON COLUMN monitor_lease.pid IS 'Process id on that machine.';
COMMENT ON COLUMN monitor_lease.seen_at IS 'Last sign of life. Another process may take the lease when it is older than 10 seconds.';

CREATE TABLE drift_references (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task             text NOT NULL,
    model_version_id uuid NOT NULL REFERENCES model_versions,
    path             text NOT NULL CHECK (path IN ('as_sent', 'framed')),
    origin           text NOT NULL CHECK (origin IN ('test', 'traffic')),
    images           integer NOT NULL CHECK (images > 0),
    features         text[] NOT NULL,
    means            double precision[] NOT NULL,
    deviations       double precision[] NOT NULL,
    label_counts     bigint[] NOT NULL,
    test_accuracy    double precision,
    sketch           jsonb NOT NULL,
    digest           text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    created_by       text NOT NULL,
    replaced_at      timestamptz,
    CHECK (cardinality(features) = cardinality(means) AND cardinality(features) = cardinality(deviations))
);
CREATE UNIQUE INDEX drift_references_current ON drift_references (model_version_id, path) WHERE replaced_at IS NULL;
COMMENT ON TABLE drift_references IS 'References of the monitor: distributions of what a model version received and predicted when all was well, one row per path of the images.';
COMMENT ON COLUMN drift_references.id IS 'Identifier.';
COMMENT ON COLUMN drift_references.task IS 'Classification task.';
COMMENT ON COLUMN drift_references.model_version_id IS 'Model version: model_versions.id.';
COMMENT ON COLUMN drift_references.path IS 'as_sent (images of 28x28 pixels) or framed (larger images, which the service crops, scales and centers).';
COMMENT ON COLUMN drift_references.origin IS 'test (test images, at publishing or training) or traffic (images that were sent).';
COMMENT ON COLUMN drift_references.images IS 'Number of images.';
COMMENT ON COLUMN drift_references.features IS 'Names of the features of the image.';
COMMENT ON COLUMN drift_references.means IS 'Mean of each feature over all classes.';
COMMENT ON COLUMN drift_references.deviations IS 'Standard deviation of each feature over all classes.';
COMMENT ON COLUMN drift_references.label_counts IS 'Number of images by predicted label, in the order of model_versions.classes.';
COMMENT ON COLUMN drift_references.test_accuracy IS 'Accuracy of the model on these images, 0 to 1. Null for traffic, whose labels are unknown.';
COMMENT ON COLUMN drift_references.sketch IS 'Quantiles of each feature by predicted label, parameters of the novelty, shares of labels, calibration: what the detectors read.';
COMMENT ON COLUMN drift_references.digest IS 'SHA-256 of the sketch as hex.';
COMMENT ON COLUMN drift_references.created_at IS 'Time at which the monitor accepted it.';
COMMENT ON COLUMN drift_references.created_by IS 'Program or person.';
COMMENT ON COLUMN drift_references.replaced_at IS 'Time at which another reference replaced it, null for the current one.';

CREATE TABLE drift_monitors (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task             text NOT NULL,
    model_version_id uuid NOT NULL REFERENCES model_versions,
    path             text NOT NULL CHECK (path IN ('as_sent', 'framed', 'all')),
    family           text NOT NULL CHECK (family IN ('inputs', 'novelty', 'confidence', 'labels', 'accuracy')),
    reference_id     bigint REFERENCES drift_references,
    threshold        double precision NOT NULL CHECK (threshold > 0),
    cursor           bigint NOT NULL DEFAULT 0,
    images           bigint NOT NULL DEFAULT 0,
    skipped          bigint NOT NULL DEFAULT 0,
    learnt           integer NOT NULL DEFAULT 0,
    state            double precision[] NOT NULL DEFAULT '{}',
    evidence         double precision,
    top_feature      text,
    watched          boolean NOT NULL DEFAULT true,
    examined_at      timestamptz,
    UNIQUE (model_version_id, path, family),
    CHECK ((path = 'all') = (family = 'accuracy'))
);
COMMENT ON TABLE drift_monitors IS 'Detectors of the monitor with their state. The view drift_now shows them with names.';
COMMENT ON COLUMN drift_monitors.id IS 'Identifier.';
COMMENT ON COLUMN drift_monitors.task IS 'Classification task.';
COMMENT ON COLUMN drift_monitors.model_version_id IS 'Model version: model_versions.id. inputs and novelty are examined through the champion only.';
COMMENT ON COLUMN drift_monitors.path IS 'as_sent, framed, or all for the family accuracy.';
COMMENT ON COLUMN drift_monitors.family IS 'inputs, novelty, confidence, labels (shares of predicted labels) or accuracy (labels that were asked for at random).';
COMMENT ON COLUMN drift_monitors.reference_id IS 'Reference that it compares with, null while it learns one from traffic.';
COMMENT ON COLUMN drift_monitors.threshold IS 'Evidence at which it warns, for example 1e7: the mean number of images between two false alarms is at least that.';
COMMENT ON COLUMN drift_monitors.cursor IS 'Highest predictions.number that it has examined or skipped; for accuracy, the highest labels.id.';
COMMENT ON COLUMN drift_monitors.images IS 'Number of images that it has examined.';
COMMENT ON COLUMN drift_monitors.skipped IS 'Number of images that it has not examined because there were too many.';
COMMENT ON COLUMN drift_monitors.learnt IS 'Number of images that are ready for the reference that it learns, 0 with a reference.';
COMMENT ON COLUMN drift_monitors.state IS 'State of the detector: numbers that only the monitor reads.';
COMMENT ON COLUMN drift_monitors.evidence IS 'Decimal logarithm of its evidence, null before the first image. It warns at log10(threshold).';
COMMENT ON COLUMN drift_monitors.top_feature IS 'Feature with the largest share of the evidence, null before the first image.';
COMMENT ON COLUMN drift_monitors.watched IS 'Whether the monitor still examines this version: champion, other aliases, and the versions with the most traffic.';
COMMENT ON COLUMN drift_monitors.examined_at IS 'Time of the last check, null before the first.';

CREATE TABLE drift_checks (
    monitor_id         bigint NOT NULL REFERENCES drift_monitors,
    at                 timestamptz NOT NULL DEFAULT now(),
    images             bigint NOT NULL,
    examined           integer NOT NULL,
    evidence           double precision NOT NULL,
    highest            double precision NOT NULL,
    means              real[] NOT NULL DEFAULT '{}',
    label_counts       bigint[] NOT NULL DEFAULT '{}',
    estimated_accuracy double precision,
    skipped            bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (monitor_id, images, at)
);
CREATE INDEX drift_checks_by_time ON drift_checks (at);
COMMENT ON TABLE drift_checks IS 'History of the detectors: a row per 100 examined images or minute, whichever is later. Kept for 90 days.';
COMMENT ON COLUMN drift_checks.monitor_id IS 'Detector: drift_monitors.id.';
COMMENT ON COLUMN drift_checks.at IS 'Time of the check.';
COMMENT ON COLUMN drift_checks.images IS 'Number of images that the detector had examined.';
COMMENT ON COLUMN drift_checks.examined IS 'Number of those since the previous row.';
COMMENT ON COLUMN drift_checks.evidence IS 'Decimal logarithm of the evidence after them.';
COMMENT ON COLUMN drift_checks.highest IS 'Decimal logarithm of the highest evidence among them.';
COMMENT ON COLUMN drift_checks.means IS 'Mean of each feature over them, in the order of drift_references.features. Empty for families that read no pixels.';
COMMENT ON COLUMN drift_checks.label_counts IS 'Number of them by predicted label, in the order of model_versions.classes.';
COMMENT ON COLUMN drift_checks.estimated_accuracy IS 'Accuracy that the model''s calibrated confidence suggests, 0 to 1. Null where it cannot be told, as while a drift alert is open.';
COMMENT ON COLUMN drift_checks.skipped IS 'Number of images that were not examined since the previous row, because there were too many.';

CREATE TABLE alerts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task             text NOT NULL,
    model_version_id uuid REFERENCES model_versions,
    kind             text NOT NULL CHECK (kind IN ('drift', 'accuracy', 'errors', 'latency', 'log')),
    family           text NOT NULL,
    families         text[] NOT NULL,
    path             text NOT NULL,
    severity         text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    opened_at        timestamptz NOT NULL DEFAULT now(),
    onset_at         timestamptz,
    onset_number     bigint,
    image_number     bigint NOT NULL,
    evidence         double precision NOT NULL,
    features         jsonb NOT NULL DEFAULT '[]',
    sources          jsonb NOT NULL DEFAULT '{}',
    example_images   uuid[] NOT NULL DEFAULT '{}',
    last_seen_at     timestamptz NOT NULL DEFAULT now(),
    quiet_images     bigint NOT NULL DEFAULT 0,
    closed_at        timestamptz,
    closed_by        text,
    close_reason     text,
    CHECK (family = ANY (families)),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (close_reason IS NULL))
);
-- One open alert of a kind: further families join it. Only the shares of labels, which inform, have one of their own.
CREATE UNIQUE INDEX alerts_open ON alerts (task, model_version_id, kind, (family = 'labels')) NULLS NOT DISTINCT WHERE closed_at IS NULL;
CREATE INDEX alerts_by_task ON alerts (task, id);
COMMENT ON TABLE alerts IS 'Alerts of the monitor. One change is one alert: it rises in severity, and is closed when it is over. The view open_alerts shows the open ones.';
COMMENT ON COLUMN alerts.id IS 'Identifier: alert_id of the API.';
COMMENT ON COLUMN alerts.task IS 'Classification task.';
COMMENT ON COLUMN alerts.model_version_id IS 'Model version through which it was found: model_versions.id.';
COMMENT ON COLUMN alerts.kind IS 'drift (what is sent, or how it is predicted, changed), accuracy (labels say that the model is worse), errors, latency or log.';
COMMENT ON COLUMN alerts.family IS 'Family that opened it: inputs, novelty, confidence, labels or accuracy.';
COMMENT ON COLUMN alerts.families IS 'All families that have warned since it was opened.';
COMMENT ON COLUMN alerts.path IS 'Path of the images: as_sent, framed or all.';
COMMENT ON COLUMN alerts.severity IS 'info (shares of labels), warning (what is sent changed) or critical (and the model suffers). It only rises.';
COMMENT ON COLUMN alerts.opened_at IS 'Time at which it was opened.';
COMMENT ON COLUMN alerts.onset_at IS 'Estimated time of the change: when the evidence began to grow.';
COMMENT ON COLUMN alerts.onset_number IS 'predictions.number of the estimated onset.';
COMMENT ON COLUMN alerts.image_number IS 'Number of images that the detector had examined when it warned.';
COMMENT ON COLUMN alerts.evidence IS 'Decimal logarithm of the highest evidence of the alert.';
COMMENT ON COLUMN alerts.features IS 'Features that changed, with their shares of the evidence, largest first: a JSON array of {feature, share, family}.';
COMMENT ON COLUMN alerts.sources IS 'Shares of the programs that sent the images since the onset: {"python-requests": 0.93}.';
COMMENT ON COLUMN alerts.example_images IS 'Up to eight images that contributed the most evidence: images.id.';
COMMENT ON COLUMN alerts.last_seen_at IS 'Last time that a detector warned.';
COMMENT ON COLUMN alerts.quiet_images IS 'Images examined since a detector last warned. At 500 the alert is closed.';
COMMENT ON COLUMN alerts.closed_at IS 'Time at which it was closed, null while it is open.';
COMMENT ON COLUMN alerts.closed_by IS 'Person or program that closed it, null while it is open.';
COMMENT ON COLUMN alerts.close_reason IS 'Reason why it was closed, null while it is open.';
ALTER TABLE retrain_requests ADD FOREIGN KEY (alert_id) REFERENCES alerts;

CREATE TABLE reference_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task         text NOT NULL,
    images       integer NOT NULL CHECK (images BETWEEN 200 AND 10000),
    requested_by text NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT now(),
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'replaced')),
    finished_at  timestamptz,
    CHECK ((state = 'waiting') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX reference_requests_open ON reference_requests (task) WHERE state = 'waiting';
COMMENT ON TABLE reference_requests IS 'Requests to take what is sent now as normal. The monitor learns new references from the images since the onset of the open alerts.';
COMMENT ON COLUMN reference_requests.id IS 'Identifier.';
COMMENT ON COLUMN reference_requests.task IS 'Classification task.';
COMMENT ON COLUMN reference_requests.images IS 'Number of images that each new reference is learnt from.';
COMMENT ON COLUMN reference_requests.requested_by IS 'Person or program.';
COMMENT ON COLUMN reference_requests.asked_at IS 'Time of the request.';
COMMENT ON COLUMN reference_requests.state IS 'waiting (the monitor collects images), done, or replaced by a later request.';
COMMENT ON COLUMN reference_requests.finished_at IS 'Time at which all references were stored or the request was replaced, null while it waits.';

CREATE TABLE robustness (
    model_version_id uuid NOT NULL REFERENCES model_versions,
    corruption       text NOT NULL,
    severity         smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    amount           double precision NOT NULL,
    images           integer NOT NULL CHECK (images > 0),
    correct          integer NOT NULL CHECK (correct BETWEEN 0 AND images),
    PRIMARY KEY (model_version_id, corruption, severity)
);
COMMENT ON TABLE robustness IS 'Accuracy of models on corrupted test images: SELECT m.experiment_name, avg(r.correct::float / r.images) FROM robustness r JOIN model_versions m ON m.id = r.model_version_id GROUP BY 1 ORDER BY 2 DESC.';
COMMENT ON COLUMN robustness.model_version_id IS 'Model version: model_versions.id.';
COMMENT ON COLUMN robustness.corruption IS 'Corruption: rotation, shift, scale, noise, blur, contrast or occlusion.';
COMMENT ON COLUMN robustness.severity IS 'Severity, 1 (slight) to 4 (strong).';
COMMENT ON COLUMN robustness.amount IS 'Amount of the corruption in its unit, for example 15 degrees.';
COMMENT ON COLUMN robustness.images IS 'Number of images.';
COMMENT ON COLUMN robustness.correct IS 'Number of images that the model predicted correctly.';

CREATE FUNCTION close_alert(alert bigint, closed_by text, reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE alerts a SET closed_at = clock_timestamp(), closed_by = close_alert.closed_by, close_reason = close_alert.reason
    WHERE a.id = alert AND a.closed_at IS NULL;
    IF FOUND THEN RETURN 'closed'; END IF;
    RETURN CASE WHEN EXISTS (SELECT FROM alerts a WHERE a.id = alert) THEN 'over' ELSE 'unknown' END;
END $$;
COMMENT ON FUNCTION close_alert IS 'Closes an alert. Returns closed, over (it was closed before) or unknown.';

CREATE FUNCTION request_reference(task text, images integer, requested_by text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    request bigint;
BEGIN
    LOCK TABLE reference_requests IN EXCLUSIVE MODE;
    UPDATE reference_requests r SET state = 'replaced', finished_at = clock_timestamp()
    WHERE r.task = request_reference.task AND r.state = 'waiting';
    INSERT INTO reference_requests (task, images, requested_by)
    VALUES (request_reference.task, request_reference.images, request_reference.requested_by) RETURNING id INTO request;
    RETURN request;
END $$;
COMMENT ON FUNCTION request_reference IS 'Asks the monitor to take what is sent now as normal, and returns the id of the request.';

CREATE FUNCTION request_novel_labels(task text, images uuid[], requested_by text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    INSERT INTO label_requests (task, image_id, image_digest, why, requested_by)
    SELECT request_novel_labels.task, i.id, i.digest, 'novel', request_novel_labels.requested_by
    FROM images i
    WHERE i.id = ANY (request_novel_labels.images) AND i.original_url IS NOT NULL AND i.warnings = '{}'
      AND NOT EXISTS (SELECT FROM labels l WHERE l.image_id = i.id AND l.task = request_novel_labels.task AND l.replaced_at IS NULL)
      AND NOT EXISTS (SELECT FROM label_requests r WHERE r.image_id = i.id AND r.task = request_novel_labels.task)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION request_novel_labels IS 'Asks for the labels of these images, unless they have one, a warning, an earlier request, or no stored original. Returns their number.';

CREATE FUNCTION request_retraining(task text, alert bigint, labels_since integer, reason text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    request bigint;
BEGIN
    INSERT INTO retrain_requests (task, alert_id, requested_by, labels_since, reason)
    SELECT request_retraining.task, alert, 'monitor', request_retraining.labels_since, request_retraining.reason
    WHERE NOT EXISTS (
        SELECT FROM retrain_requests r WHERE r.task = request_retraining.task AND r.asked_at > now() - interval '24 hours')
    ON CONFLICT DO NOTHING RETURNING id INTO request;
    RETURN request;
END $$;
COMMENT ON FUNCTION request_retraining IS 'Asks the pipeline to retrain a task because of an alert. Returns the id of the request, or null if one is open or younger than 24 hours.';

-- Views.
CREATE VIEW open_alerts AS
SELECT a.id AS alert_id, a.task, m.experiment_name, m.version, a.kind, a.family, a.families, a.path, a.severity, a.opened_at, a.onset_at,
       a.image_number, a.evidence, a.features, a.sources, a.last_seen_at, a.quiet_images
FROM alerts a LEFT JOIN model_versions m ON m.id = a.model_version_id
WHERE a.closed_at IS NULL;
COMMENT ON VIEW open_alerts IS 'Open alerts with the names of their models: SELECT * FROM open_alerts ORDER BY opened_at.';
COMMENT ON COLUMN open_alerts.alert_id IS 'Identifier.';
COMMENT ON COLUMN open_alerts.task IS 'Classification task.';
COMMENT ON COLUMN open_alerts.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN open_alerts.version IS 'Version of the model.';
COMMENT ON COLUMN open_alerts.kind IS 'drift, accuracy, errors, latency or log.';
COMMENT ON COLUMN open_alerts.family IS 'Family that opened it.';
COMMENT ON COLUMN open_alerts.families IS 'All families that have warned.';
COMMENT ON COLUMN open_alerts.path IS 'as_sent, framed or all.';
COMMENT ON COLUMN open_alerts.severity IS 'info, warning or critical.';
COMMENT ON COLUMN open_alerts.opened_at IS 'Time at which it was opened.';
COMMENT ON COLUMN open_alerts.onset_at IS 'Estimated time of the change.';
COMMENT ON COLUMN open_alerts.image_number IS 'Number of images that the detector had examined when it warned.';
COMMENT ON COLUMN open_alerts.evidence IS 'Decimal logarithm of the highest evidence.';
COMMENT ON COLUMN open_alerts.features IS 'Features that changed: a JSON array of {feature, share, family}.';
COMMENT ON COLUMN open_alerts.sources IS 'Shares of the programs that sent the images since the onset.';
COMMENT ON COLUMN open_alerts.last_seen_at IS 'Last time that a detector warned.';
COMMENT ON COLUMN open_alerts.quiet_images IS 'Images examined since then.';

CREATE VIEW drift_now AS
SELECT d.task, m.experiment_name, m.version, m.digest AS model_digest, d.path, d.family,
       CASE WHEN d.reference_id IS NULL AND d.family <> 'accuracy' THEN 'learning'
            WHEN EXISTS (SELECT FROM alerts a WHERE a.closed_at IS NULL AND a.model_version_id = d.model_version_id
                           AND d.family = ANY (a.families)) THEN 'drifting'
            ELSE 'ok' END AS state,
       d.images, d.learnt, d.skipped, d.evidence, log(d.threshold) AS threshold, d.top_feature, r.origin, r.images AS reference_images,
       r.created_at AS reference_at, d.examined_at, d.id AS monitor_id
FROM drift_monitors d
JOIN model_versions m ON m.id = d.model_version_id
LEFT JOIN drift_references r ON r.id = d.reference_id
WHERE d.watched;
COMMENT ON VIEW drift_now IS 'Detectors of the monitor as they stand: SELECT * FROM drift_now ORDER BY task, experiment_name, family.';
COMMENT ON COLUMN drift_now.task IS 'Classification task.';
COMMENT ON COLUMN drift_now.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN drift_now.version IS 'Version of the model.';
COMMENT ON COLUMN drift_now.model_digest IS 'Digest of the model: model_versions.digest.';
COMMENT ON COLUMN drift_now.path IS 'as_sent, framed or all.';
COMMENT ON COLUMN drift_now.family IS 'inputs, novelty, confidence, labels or accuracy.';
COMMENT ON COLUMN drift_now.state IS 'ok, drifting (an alert of it is open) or learning (its reference is not ready).';
COMMENT ON COLUMN drift_now.images IS 'Number of images examined.';
COMMENT ON COLUMN drift_now.learnt IS 'Number of images that are ready for the reference that it learns.';
COMMENT ON COLUMN drift_now.skipped IS 'Number of images that were not examined because there were too many.';
COMMENT ON COLUMN drift_now.evidence IS 'Decimal logarithm of the evidence.';
COMMENT ON COLUMN drift_now.threshold IS 'Decimal logarithm of the evidence at which it warns.';
COMMENT ON COLUMN drift_now.top_feature IS 'Feature with the largest share of the evidence.';
COMMENT ON COLUMN drift_now.origin IS 'Origin of the reference: test or traffic, null without one.';
COMMENT ON COLUMN drift_now.reference_images IS 'Number of images of the reference.';
COMMENT ON COLUMN drift_now.reference_at IS 'Time at which the reference was accepted.';
COMMENT ON COLUMN drift_now.examined_at IS 'Time of the last check.';
COMMENT ON COLUMN drift_now.monitor_id IS 'Detector: drift_monitors.id.';

CREATE VIEW live_accuracy_over_time AS
SELECT c.hour, c.task, m.experiment_name, m.version, m.digest AS model_digest, c.source, c.images, c.correct,
       c.correct::double precision / c.images AS accuracy,
       (c.correct + 1.9207 - 1.96 * sqrt(c.correct::double precision * (c.images - c.correct) / c.images + 0.9604)) / (c.images + 3.8416)
           AS lower,
       (c.correct + 1.9207 + 1.96 * sqrt(c.correct::double precision * (c.images - c.correct) / c.images + 0.9604)) / (c.images + 3.8416)
           AS upper
FROM (
    SELECT date_bin('1 hour', p.created_at, 'epoch') AS hour, p.task, p.model_version_id, l.source, count(*) AS images,
           count(*) FILTER (WHERE p.label = l.label) AS correct
    FROM labels l JOIN predictions p ON p.image_id = l.image_id AND p.task = l.task
    WHERE l.replaced_at IS NULL GROUP BY 1, 2, 3, 4
) AS c JOIN model_versions m ON m.id = c.model_version_id;
COMMENT ON VIEW live_accuracy_over_time IS 'Accuracy on labeled images by the hour of the prediction and the source of the label: SELECT * FROM live_accuracy_over_time WHERE source = ''random'' ORDER BY hour. Add images and correct for longer times.';
COMMENT ON COLUMN live_accuracy_over_time.hour IS 'Start of the hour in which the images were first predicted.';
COMMENT ON COLUMN live_accuracy_over_time.task IS 'Classification task.';
COMMENT ON COLUMN live_accuracy_over_time.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN live_accuracy_over_time.version IS 'Version of the model.';
COMMENT ON COLUMN live_accuracy_over_time.model_digest IS 'Digest of the model: model_versions.digest.';
COMMENT ON COLUMN live_accuracy_over_time.source IS 'Source of the labels. Only random ones estimate the accuracy: people volunteer labels where the model is wrong.';
COMMENT ON COLUMN live_accuracy_over_time.images IS 'Number of labeled images.';
COMMENT ON COLUMN live_accuracy_over_time.correct IS 'Number of them that the model predicted correctly.';
COMMENT ON COLUMN live_accuracy_over_time.accuracy IS 'Share of correct predictions, 0 to 1.';
COMMENT ON COLUMN live_accuracy_over_time.lower IS 'Lower bound of the 95 % Wilson interval.';
COMMENT ON COLUMN live_accuracy_over_time.upper IS 'Upper bound of the 95 % Wilson interval.';

CREATE VIEW error_atlas AS
SELECT p.task, m.experiment_name, m.version, m.digest AS model_digest, p.true_label, p.label AS predicted_label, count(*) AS images,
       avg(p.confidence)::double precision AS mean_confidence, (array_agg(p.id ORDER BY p.confidence DESC, p.id))[1:8] AS examples
FROM predictions p JOIN model_versions m ON m.id = p.model_version_id
WHERE p.true_label IS NOT NULL AND p.true_label <> p.label
GROUP BY p.task, m.experiment_name, m.version, m.digest, p.true_label, p.label;
COMMENT ON VIEW error_atlas IS 'Wrong predictions of labeled images by true and predicted label: SELECT * FROM error_atlas ORDER BY images DESC.';
COMMENT ON COLUMN error_atlas.task IS 'Classification task.';
COMMENT ON COLUMN error_atlas.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN error_atlas.version IS 'Version of the model.';
COMMENT ON COLUMN error_atlas.model_digest IS 'Digest of the model: model_versions.digest.';
COMMENT ON COLUMN error_atlas.true_label IS 'Label that a person gave.';
COMMENT ON COLUMN error_atlas.predicted_label IS 'Predicted label.';
COMMENT ON COLUMN error_atlas.images IS 'Number of images.';
COMMENT ON COLUMN error_atlas.mean_confidence IS 'Mean confidence of these predictions, 0 to 1.';
COMMENT ON COLUMN error_atlas.examples IS 'Up to eight of these predictions, the most confident first: predictions.id.';

CREATE VIEW skew AS
SELECT t.task, m.experiment_name, m.version, t.path, f.feature, f.test_mean, f.test_deviation, n.means[f.position] AS traffic_mean,
       (n.means[f.position] - f.test_mean) / nullif(f.test_deviation, 0) AS shift, t.images AS test_images, n.images AS traffic_images,
       n.created_at AS accepted_at
FROM (SELECT DISTINCT ON (model_version_id, path) * FROM drift_references WHERE origin = 'test' ORDER BY model_version_id, path, id DESC) t
JOIN drift_references n ON n.model_version_id = t.model_version_id AND n.path = t.path AND n.origin = 'traffic' AND n.replaced_at IS NULL
JOIN model_versions m ON m.id = t.model_version_id
CROSS JOIN LATERAL unnest(t.features, t.means, t.deviations) WITH ORDINALITY AS f (feature, test_mean, test_deviation, position)
WHERE t.features = n.features;
COMMENT ON VIEW skew IS 'Training-serving skew: features of the test images against those of the accepted traffic: SELECT * FROM skew ORDER BY abs(shift) DESC.';
COMMENT ON COLUMN skew.task IS 'Classification task.';
COMMENT ON COLUMN skew.experiment_name IS 'Experiment of the model.';
COMMENT ON COLUMN skew.version IS 'Version of the model.';
COMMENT ON COLUMN skew.path IS 'as_sent or framed.';
COMMENT ON COLUMN skew.feature IS 'Feature of the image.';
COMMENT ON COLUMN skew.test_mean IS 'Mean over the test images.';
COMMENT ON COLUMN skew.test_deviation IS 'Standard deviation over the test images.';
COMMENT ON COLUMN skew.traffic_mean IS 'Mean over the accepted traffic.';
COMMENT ON COLUMN skew.shift IS 'Difference of the means in standard deviations of the test images.';
COMMENT ON COLUMN skew.test_images IS 'Number of test images.';
COMMENT ON COLUMN skew.traffic_images IS 'Number of images of the accepted traffic.';
COMMENT ON COLUMN skew.accepted_at IS 'Time at which the traffic was accepted as normal.';
